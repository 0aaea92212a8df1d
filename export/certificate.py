"""The proof that a graph equals its source: torch against ONNX Runtime on the same pictures."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import onnxruntime
import torch

from export.onnx_graph import INPUT, OUTPUTS
from export.pictures import Picture
from model.bundle import BundleError, Certificate, MergingSpec
from model.network.panoptic_deeplab import Heads, PanopticDeepLab, normalize
from model.tail import finish
from model.variants import Merging, Variant

MAX_DIFFERENCE = 1e-3  # of a head's standard deviation
MIN_EQUAL_PIXELS = 0.999

HeadName = Literal["semantic", "center", "offset"]
HEAD_NAMES: tuple[HeadName, ...] = ("semantic", "center", "offset")


@dataclass(frozen=True)
class Agreement:
    """How far two programs' answers to some pictures lie apart."""

    differences: dict[HeadName, float]  # largest, absolute
    deviations: dict[HeadName, float]  # standard deviation of the reference's heads
    equal_pixels: float  # share of all panoptic pixels

    def misfits(self) -> list[str]:
        """One sentence for each number that is out of tolerance."""
        found = [
            f"{name} differs by {self.differences[name]:.2e}, more than {MAX_DIFFERENCE} of its deviation"
            f" {self.deviations[name]:.2e}"
            for name in HEAD_NAMES
            if self.differences[name] > MAX_DIFFERENCE * self.deviations[name]
        ]
        if self.equal_pixels < MIN_EQUAL_PIXELS:
            found.append(f"only {self.equal_pixels:.4%} of the panoptic pixels agree")
        return found


def open_graph(path: Path) -> onnxruntime.InferenceSession:
    """Open the graph in ONNX Runtime on the CPU.

    Raises: BundleError: ONNX Runtime cannot read it, or its input and outputs are not ours.
    """
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exceptions share no narrower class
        reason = re.sub(r"\s+", " ", str(error))
        raise BundleError(
            f"{path} is no graph that ONNX Runtime reads: {reason}. Export it again."
        ) from error
    inputs = [(value.name, value.type) for value in session.get_inputs()]
    outputs = [value.name for value in session.get_outputs()]
    if inputs != [(INPUT, "tensor(uint8)")] or outputs != list(OUTPUTS):
        raise BundleError(
            f"{path} takes {inputs} and gives {outputs} instead of {INPUT}, uint8, and {', '.join(OUTPUTS)}."
            " Export it again."
        )
    return session


def run_graph(session: onnxruntime.InferenceSession, images: torch.Tensor) -> Heads:
    """(N, H, W, 3) uint8 to heads at the graph's stride, by ONNX Runtime."""
    return Heads(*(torch.from_numpy(array) for array in session.run(list(OUTPUTS), {INPUT: images.numpy()})))


def run_network(network: PanopticDeepLab, images: torch.Tensor) -> Heads:
    """(N, H, W, 3) uint8 to heads at the network's stride, by torch."""
    with torch.inference_mode():
        return Heads(*network(normalize(images, network.variant.input)))


def answer(heads: Heads, picture: Picture, variant: Variant, merging: MergingSpec) -> torch.Tensor:
    """Merge one picture's heads, N = 1, by the reference: (H, W) int64 labels."""
    numbers = merging.model_dump(exclude={"grid"})
    return finish(heads, variant, picture.sizes, merging=Merging(**numbers), grid=merging.grid).labels


def compare(
    network: PanopticDeepLab,
    session: onnxruntime.InferenceSession,
    pictures: Sequence[Picture],
    merging: MergingSpec,
) -> Agreement:
    """Run torch and ONNX Runtime on every picture, one at a time."""
    runs = (
        (run_network(network, picture.as_batch()), run_graph(session, picture.as_batch()))
        for picture in pictures
    )
    return agree(runs, pictures, network.variant, merging)


def agree(
    runs: Iterable[tuple[Heads, Heads]], pictures: Sequence[Picture], variant: Variant, merging: MergingSpec
) -> Agreement:
    """Compare what a reference and another program say to each picture, in this order."""
    differences = dict.fromkeys(HEAD_NAMES, 0.0)
    deviations = dict.fromkeys(HEAD_NAMES, 0.0)
    equal = total = 0
    for picture, (ours, theirs) in zip(pictures, runs, strict=True):
        for name in HEAD_NAMES:
            source, graph = getattr(ours, name), getattr(theirs, name)
            differences[name] = max(differences[name], float((source - graph).abs().max()))
            deviations[name] = max(deviations[name], float(source.std()))
        labels = [answer(heads, picture, variant, merging) for heads in (ours, theirs)]
        equal += int((labels[0] == labels[1]).sum())
        total += labels[0].numel()
    return Agreement(differences, deviations, equal / total)


def make_certificate(agreement: Agreement, pictures: Sequence[Picture], weights: str) -> Certificate:
    """Write an agreement down for the manifest.

    Args:
        weights: in words: trained, or which stand-in.
    """
    return Certificate(
        torch=torch.__version__,
        onnxruntime=onnxruntime.__version__,
        weights=weights,
        images=tuple(picture.name for picture in pictures),
        max_abs_difference=agreement.differences,
        equal_panoptic_pixels=agreement.equal_pixels,
    )
