"""The proof of a bundle: its goldens answered alone, and in every row of a full batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from export.certificate import answer, compare, open_graph, run_graph
from export.goldens import read_golden
from export.pictures import Picture, fit, read_photograph
from model.bundle import Bundle, BundleError, Golden, file_entry, read_bundle
from model.checkpoints.reading import read_checkpoint
from model.network.panoptic_deeplab import Heads
from model.variants import Variant, find_variant, with_pooling


@dataclass(frozen=True)
class Check:
    """One thing that was proved, or not."""

    claim: str
    finding: str
    holds: bool


def prove_bundle(path: Path, checkpoint: Path | None, photographs: Sequence[Path]) -> Iterator[Check]:
    """Prove all that can be proved; with the checkpoint also that the graph still equals torch.

    Raises:
        BundleError: the directory cannot be read or trusted.
        CheckpointError: the checkpoint cannot be.
        ExportError: a photograph cannot be.
    """
    bundle = read_bundle(path)
    yield Check(
        "files", f"{len(bundle.manifest.files)} with the size and hash the manifest tells", holds=True
    )
    session = open_graph(bundle.model)
    yield Check("graph", "opens in ONNX Runtime, with the input and the heads of a bundle", holds=True)
    yield from prove_goldens(bundle, session)
    if checkpoint is not None:
        yield from _prove_source(bundle, session, checkpoint, photographs)


def prove_goldens(bundle: Bundle, session: onnxruntime.InferenceSession) -> Iterator[Check]:
    """Run every golden alone and in every row of the largest batch, other pictures in the other rows.

    Raises: BundleError: the variant is unknown here.
    """
    variant = bundle_variant(bundle)
    for golden in bundle.manifest.goldens:
        picture, expected = read_golden(bundle, golden)
        for claim, heads in _runs(bundle, session, golden, picture):
            yield _judge(golden, claim, _ids(bundle, variant, picture, heads) == expected)


def bundle_variant(bundle: Bundle) -> Variant:
    """The variant a bundle names.

    Raises: BundleError: it is unknown here.
    """
    try:
        return find_variant(bundle.manifest.variant)
    except ValueError as error:
        raise BundleError(f"{bundle.path}: {error}. A newer program may know it.") from error


def _prove_source(
    bundle: Bundle, session: onnxruntime.InferenceSession, checkpoint: Path, photographs: Sequence[Path]
) -> Iterator[Check]:
    manifest = bundle.manifest
    variant = bundle_variant(bundle)
    network = read_checkpoint(checkpoint, variant).network(
        variant if manifest.source.pooling == "published" else with_pooling(variant, None)
    )
    same = file_entry(checkpoint).sha256 == manifest.source.sha256
    yield Check("source", f"{checkpoint} is {'' if same else 'not '}the file the bundle was made of", same)
    pictures = [
        fit(read_photograph(path), manifest.input.buckets, manifest.input.pad_value) for path in photographs
    ] or [read_golden(bundle, golden)[0] for golden in manifest.goldens]
    agreement = compare(network, session, pictures, manifest.merging)
    finding = f"{len(pictures)} pictures, {agreement.equal_pixels:.4%} of the panoptic pixels equal"
    misfits = agreement.misfits()
    yield Check("torch against ONNX Runtime", "; ".join([finding, *misfits]), not misfits)


def _runs(
    bundle: Bundle, session: onnxruntime.InferenceSession, golden: Golden, picture: Picture
) -> Iterator[tuple[str, list[Heads]]]:
    """Pairs of a claim and the heads of the golden's row in each run."""
    place = f"golden {golden.bucket[0]}x{golden.bucket[1]}"
    yield f"{place} alone", [run_graph(session, picture.as_batch())]
    size = bundle.manifest.input.batch_sizes[-1]
    if size > 1:
        rows = [_row(run_graph(session, _batch(picture, size, row)), row) for row in range(size)]
        yield f"{place} in each row of {size}", rows


def _batch(picture: Picture, size: int, row: int) -> torch.Tensor:
    """(size, H, W, 3) uint8: the picture in its row, shifted and inverted copies of it in the others."""
    step = picture.image.shape[1] // size
    images = [255 - np.roll(picture.image, step * index, axis=1) for index in range(size)]
    images[row] = picture.image
    return torch.from_numpy(np.stack(images))


def _row(heads: Heads, row: int) -> Heads:
    return Heads(*(head[row : row + 1] for head in heads))


def _ids(bundle: Bundle, variant: Variant, picture: Picture, runs: list[Heads]) -> NDArray[np.int64]:
    merging = bundle.manifest.merging
    return np.stack([answer(heads, picture, variant, merging).numpy() + 1 for heads in runs])


def _judge(golden: Golden, claim: str, equal: NDArray[np.bool_]) -> Check:
    share = float(equal.mean(axis=(1, 2)).min())
    finding = f"{share:.4%} of the pixels as expected, {golden.equal_pixels:.2%} needed"
    return Check(claim, finding, share >= golden.equal_pixels)
