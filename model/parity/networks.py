"""Networks against goldens: the published program's heads and panoptic map for one picture and known weights."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.lib.npyio import NpzFile
from torch import Tensor

from model.checkpoints.state import lay_state
from model.fit import Sizes
from model.grouping import VOID
from model.network.panoptic_deeplab import Heads, PanopticDeepLab, normalize, upsample
from model.parity.findings import Finding, share
from model.parity.names import our_name, our_variant
from model.parity.stand_in import picture, stand_in_weights
from model.tail import Answer, finish
from model.variants import Merging, Variant, with_pooling

MAX_DIFFERENCE = 2e-4  # of the head's standard deviation; programs alone differ by a tenth of it
MIN_EQUAL_CLASSES = 0.9999
MIN_EQUAL_PANOPTIC = 0.999

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Case:
    """One golden of a network."""

    name: str
    variant: Variant  # with this case's pooling
    meta: dict[str, Any]
    arrays: NpzFile

    @property
    def merging(self) -> Merging:
        """This case's parameters."""
        numbers = self.meta["post"]
        return Merging(**{name: numbers[name] for name in Merging.__dataclass_fields__})


def read_case(path: Path, arrays: NpzFile) -> Case | None:
    """Read a golden; None where its variant is not ours yet."""
    meta = json.loads(str(arrays["meta"]))
    variant = our_variant(meta["flavour"], meta["variant"])
    if variant is None:
        return None
    kernel = meta["image_pooling"]
    return Case(path.stem, with_pooling(variant, None if kernel is None else tuple(kernel)), meta, arrays)


def read_shapes(path: Path) -> Shapes:
    """Read a key manifest: the published program's parameter names and shapes."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    return {name: tuple(shape) for name, (shape, _) in rows.items()}


def golden_weights(case: Case, shapes: Shapes) -> dict[str, Tensor]:
    """Fill the published names as the golden's maker did."""
    weights = stand_in_weights(shapes, case.meta["seed"])
    for key in case.arrays.files:
        kind, _, name = key.partition(":")
        if kind == "set":
            weights[name] = torch.from_numpy(case.arrays[key])
        elif kind == "mul":
            weights[name] = weights[name] * torch.from_numpy(case.arrays[key])
    return weights


def build_network(case: Case, shapes: Shapes) -> PanopticDeepLab:
    """The golden's network, by its published names."""
    weights = golden_weights(case, shapes)
    with torch.device("meta"):  # no time and memory for weights that are replaced
        network = PanopticDeepLab(case.variant)
    network.to_empty(device="cpu")
    renamed = {our_name(name, case.variant): weights.pop(name) for name in list(weights)}
    lay_state(network, renamed, case.name)
    return network.eval()


def run_case(case: Case, network: PanopticDeepLab) -> tuple[Heads, Answer]:
    """The case's picture to heads and labels at its output size."""
    image = _image(case)
    rows, columns = image.shape[:2]
    images = _pad(
        normalize(torch.from_numpy(image)[None], case.variant.input), case.meta.get("size_divisibility", 0)
    )
    output = (rows, columns) if "out_size" not in case.meta else tuple(case.meta["out_size"])
    sizes = Sizes(input=(images.shape[2], images.shape[3]), fitted=(rows, columns), output=output)
    with torch.inference_mode():
        heads = network(images)
        answer = finish(heads, case.variant, sizes, merging=case.merging)
        full = Heads(*(x[:, :, :rows, :columns] for x in upsample(heads, case.variant, sizes.input)))
    return Heads(*(_resize(x, output) for x in full)), answer


def compare_case(case: Case, shapes: Shapes) -> list[Finding]:
    """Run a golden and compare all it holds."""
    heads, answer = run_case(case, build_network(case, shapes))
    findings = [_compare_head(case, heads, row, name) for row, name in enumerate(Heads._fields)]
    classes = answer.logits.argmax(dim=0).numpy()
    findings.append(_compare_map(case, "semantic_argmax", classes, MIN_EQUAL_CLASSES))
    labels = answer.labels.numpy()
    labels = np.where(labels == VOID, case.meta["post"]["void_label"], labels)
    findings.append(_compare_map(case, "panoptic", labels, MIN_EQUAL_PANOPTIC))
    return findings


def _compare_head(case: Case, heads: Heads, row: int, name: str) -> Finding:
    rows, columns = case.arrays[f"{name}_stride"]
    ours = getattr(heads, name)[0, :, ::rows, ::columns].numpy().squeeze()
    deviation = float(case.arrays["stats"][row, 1])
    worst = float(np.abs(ours - case.arrays[name].squeeze()).max()) / deviation
    found, allowed = f"{worst:.1e} deviations", f"at most {MAX_DIFFERENCE:.0e}"
    return Finding(case.name, name, found, allowed, worst <= MAX_DIFFERENCE, case.variant.name, worst)


def _compare_map(case: Case, name: str, ours: "np.ndarray[Any, Any]", least: float) -> Finding:
    golden = case.arrays[name]
    steps = (-(-ours.shape[0] // golden.shape[0]), -(-ours.shape[1] // golden.shape[1]))
    equal = float((ours[:: steps[0], :: steps[1]] == golden).mean())
    return share(case.name, name, equal, least, case.variant.name)


def _image(case: Case) -> "np.ndarray[Any, Any]":
    if "image" in case.arrays:
        return case.arrays["image"]
    rows, columns = case.meta.get("out_size", case.arrays["panoptic"].shape)  # not shipped: it is drawn again
    return picture(rows, columns, case.meta["seed"])


def _pad(images: Tensor, divisor: int) -> Tensor:
    """Zeros at bottom and right, after normalisation."""
    if divisor == 0:
        return images
    rows, columns = images.shape[2:]
    return F.pad(images, (0, -columns % divisor, 0, -rows % divisor))


def _resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    return x if x.shape[2:] == size else F.interpolate(x, size=size, mode="bilinear", align_corners=False)
