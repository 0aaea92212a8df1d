"""How good a network is: PQ, SQ, RQ and IoU a class, on whole photographs at their own size."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torchmetrics.classification import MulticlassConfusionMatrix
from torchmetrics.detection import PanopticQuality

from model.curriculum import IGNORE, Curriculum
from model.curriculum.truth import decide as decide_unions
from model.fit import both_ways_up, choose_bucket, fit
from model.grouping import VOID
from model.network.panoptic_deeplab import Heads, PanopticDeepLab, normalize
from model.tail import finish
from model.training.datasets import PanopticFolder, Sample
from model.variants import Merging


@dataclass(frozen=True)
class ClassFigures:
    """Figures of one class, 0..1; None where the data set does not show it."""

    name: str
    iou: float
    pq: float
    sq: float
    rq: float
    segments: int  # true ones


@dataclass(frozen=True)
class Figures:
    """Figures of one data set."""

    classes: tuple[ClassFigures, ...]  # those that it shows

    def mean(self, what: str, names: tuple[str, ...] | None = None) -> float:
        """Mean of `iou`, `pq`, `sq` or `rq` over its classes, or over those named."""
        values = [getattr(c, what) for c in self.classes if names is None or c.name in names]
        return sum(values) / max(1, len(values))


@torch.inference_mode()
def validate(
    network: PanopticDeepLab, folder: PanopticFolder, curriculum: Curriculum, merging: Merging | None = None
) -> Figures:
    """Judge a network on a folder.

    A union in the truth is decided a segment at a time: it is the class of the union that most of the segment's
    pixels were given, else the likeliest. What is known to be other is a class of the truth, so a building seen in a
    living room is a false one.
    """
    classes = len(curriculum.categories)
    things = {c.index for c in curriculum.categories if c.isthing}
    nothing = classes  # a class of its own: the metric forgives what is missed where the answer is its void
    quality = PanopticQuality(things, set(range(classes + 1)) - things)
    confusion = MulticlassConfusionMatrix(classes, ignore_index=IGNORE)
    network.eval()
    for index in range(len(folder)):
        sample = folder[index]
        semantic, labels = answer(network, sample.image, merging)
        truth = decide(sample, semantic, curriculum)
        divisor = network.variant.merging.label_divisor
        found = torch.where(labels == VOID, nothing, labels // divisor)
        predicted = torch.stack((found, labels % divisor), dim=-1)
        quality.update(predicted[None], _with_void(truth, sample.instances.long(), quality)[None])
        confusion.update(semantic.flatten(), truth.flatten())
    return _figures(curriculum, quality, confusion.compute())


def answer(network: PanopticDeepLab, image: Tensor, merging: Merging | None) -> tuple[Tensor, Tensor]:
    """Class indices and labels of one photograph, (3, H, W) uint8, at its own size."""
    variant = network.variant
    pixels = image.permute(1, 2, 0).contiguous().numpy()
    bucket = choose_bucket((pixels.shape[0], pixels.shape[1]), both_ways_up(variant.input.size))
    picture, sizes = fit(pixels, bucket, variant.input.pad_value)
    device = next(network.parameters()).device
    heads = network(normalize(torch.from_numpy(picture)[None].to(device), variant.input))
    heads = Heads(*(head.cpu() for head in heads))  # the reference tail computes on processors
    answer = finish(heads, variant, sizes, merging=merging, grid="input")
    return answer.logits.argmax(dim=0), answer.labels


def decide(sample: Sample, semantic: Tensor, curriculum: Curriculum) -> Tensor:
    """Resolve the unions of a sample against what was predicted: (H, W) int64 class indices and IGNORE."""
    decided = decide_unions(sample.codes.numpy(), sample.instances.numpy(), semantic.numpy(), curriculum)
    return torch.from_numpy(decided)


def _with_void(truth: Tensor, instances: Tensor, quality: PanopticQuality) -> Tensor:
    """Pair classes and instances, (H, W, 2), with the metric's void where the truth or the instance is not known."""
    known = (truth != IGNORE) & (instances >= 0)
    pairs = torch.stack((truth, instances), dim=-1)
    return torch.where(known[..., None], pairs, torch.tensor(quality.void_color))


def _figures(curriculum: Curriculum, quality: PanopticQuality, confusion: Tensor) -> Figures:
    rows = []
    for category in curriculum.categories:
        place = quality.cat_id_to_continuous_id[category.index]
        matched, iou_sum = int(quality.true_positives[place]), float(quality.iou_sum[place])
        missed, invented = int(quality.false_negatives[place]), int(quality.false_positives[place])
        if category.isvoid or matched + missed == 0:
            continue
        index = category.index
        hit = float(confusion[index, index])
        union = float(confusion[index].sum() + confusion[:, index].sum()) - hit
        rq = matched / (matched + 0.5 * missed + 0.5 * invented)
        sq = iou_sum / max(1, matched)
        rows.append(ClassFigures(category.name, hit / max(1.0, union), sq * rq, sq, rq, matched + missed))
    return Figures(tuple(rows))
