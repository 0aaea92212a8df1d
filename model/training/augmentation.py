"""From a sample to a crop: scale, crop, flip, colour, and things or whole classes pasted from another picture."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from model.curriculum import IGNORE
from model.training.datasets import Sample
from model.training.scales import Scale, draw_size
from model.variants.specs import Size


@dataclass(frozen=True)
class Augmentation:
    """How far pictures are varied."""

    crop: Size
    scale: Scale
    flip: float = 0.5
    colour: float = 0.0  # brightness, contrast, saturation; a tenth of it for hue
    paste: float = 0.0  # probability that things of another picture are pasted
    mix: float = 0.0  # probability that half of another picture's classes are pasted
    pad: tuple[int, int, int] = (127, 127, 127)  # RGB around a picture smaller than the crop


def augment(sample: Sample, spec: Augmentation) -> Sample:
    """Take one varied crop of a sample, by torch's global random generator."""
    _, rows, columns = sample.image.shape
    size = list(draw_size((rows, columns), spec.scale))
    labels = torch.stack((sample.codes.to(torch.int32), sample.instances.to(torch.int32)))
    image = v2.functional.resize(sample.image, size, v2.InterpolationMode.BILINEAR, antialias=True)
    labels = v2.functional.resize(labels, size, v2.InterpolationMode.NEAREST)
    image, labels = _crop(image, labels, spec)
    if torch.rand(()) < spec.flip:
        image, labels = image.flip(-1), labels.flip(-1)
    jitter = v2.ColorJitter(spec.colour, spec.colour, spec.colour, spec.colour / 10)
    image = jitter(tv_tensors.Image(image)).as_subclass(Tensor)
    return replace(sample, image=image, codes=labels[0].to(torch.uint8), instances=labels[1].to(torch.int16))


def paste_things(sample: Sample, source: Sample, things: frozenset[int], most: int = 3) -> Sample:
    """Paste up to `most` whole instances of one crop onto another of the same size."""
    ids = source.instances[source.instances > 0].unique()
    if len(ids) == 0:
        return sample
    chosen = ids[torch.randperm(len(ids))[:most]]
    mask = torch.isin(source.instances, chosen) & torch.isin(source.codes, torch.tensor(sorted(things)))
    return _paste(sample, source, mask)


def mix_classes(sample: Sample, source: Sample) -> Sample:
    """Paste all pixels of half of one crop's classes, those that are labelled, onto another of the same size.

    A class then stands before what it was never photographed with, so it is learned by itself.

    Source: Olsson et al. 2021, ClassMix; there with predicted classes.
    """
    codes = source.codes[source.codes != IGNORE].unique()
    chosen = codes[torch.randperm(len(codes))[: (len(codes) + 1) // 2]]
    return _paste(sample, source, torch.isin(source.codes, chosen))


def _paste(sample: Sample, source: Sample, mask: Tensor) -> Sample:
    """Lay the masked pixels of one crop over another; the instances among them get numbers of their own."""
    first = int(sample.instances.max()) + 1
    instances = torch.where(source.instances > 0, source.instances + first, source.instances)
    return Sample(
        image=torch.where(mask, source.image, sample.image),
        codes=torch.where(mask, source.codes, sample.codes),
        instances=torch.where(mask, instances, sample.instances),
        instance_weight=sample.instance_weight,
    )


def _crop(image: Tensor, labels: Tensor, spec: Augmentation) -> tuple[Tensor, Tensor]:
    """Cut a random window, padded where the picture is smaller."""
    rows, columns = spec.crop
    down, right = max(0, rows - image.shape[1]), max(0, columns - image.shape[2])
    if down or right:
        image = _pad(image, (down, right), spec.pad)
        labels = _pad(labels, (down, right), (IGNORE, 0))
    top = int(torch.randint(image.shape[1] - rows + 1, ()))
    left = int(torch.randint(image.shape[2] - columns + 1, ()))
    window = (slice(None), slice(top, top + rows), slice(left, left + columns))
    return image[window], labels[window]


def _pad(channels: Tensor, by: tuple[int, int], values: tuple[int, ...]) -> Tensor:
    """Add rows and columns of a value a channel at bottom and right."""
    count, rows, columns = channels.shape
    padded = torch.tensor(values, dtype=channels.dtype)[:, None, None]
    padded = padded.expand(count, rows + by[0], columns + by[1]).clone()
    padded[:, :rows, :columns] = channels
    return padded
