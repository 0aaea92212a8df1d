"""Checkpoint to bundle: the directory is built beside its place, proved, and moved there whole."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from export import ExportError
from export.certificate import Agreement, compare, make_certificate, open_graph
from export.goldens import write_goldens
from export.manifest import Recipe, check_sizes, make_manifest
from export.onnx_graph import write_graph
from export.pictures import fit, read_photograph
from export.pooling import pool_for
from export.verify import prove_goldens
from model.bundle import MANIFEST, MODEL, Bundle, FileEntry, file_entry, read_bundle, write_manifest
from model.checkpoints.reading import Checkpoint
from model.declaration import merging_spec

Report = Callable[[str], None]

CARD = "README.md"


def write_bundle(checkpoint: Checkpoint, out: Path, recipe: Recipe, report: Report) -> Bundle:
    """Write and prove a bundle; an older bundle in its place is replaced, anything else is not.

    Args:
        report: takes one line for each step.

    Raises:
        ExportError: a photograph is, a bucket does not fit, something else is at `out`, or torch and ONNX Runtime
            disagree.
    """
    check_place(out)
    check_sizes(checkpoint.variant, recipe)
    variant = pool_for(checkpoint.variant, recipe.buckets)
    network = checkpoint.network(variant)
    merging = merging_spec(variant, recipe.grid)
    photographs = [read_photograph(path) for path in recipe.images]
    golden = read_photograph(recipe.golden) if recipe.golden else None
    with built_beside(out) as folder:
        report(f"tracing {variant.name} into an ONNX graph")
        write_graph(network, folder / MODEL)
        report("answering the goldens with torch")
        goldens = write_goldens(folder, network, recipe.buckets, golden, merging, recipe.equal_pixels)
        report("comparing torch with ONNX Runtime")
        pictures = [fit(photograph, recipe.buckets, variant.input.pad_value) for photograph in photographs]
        pictures = pictures or [picture for _, picture in goldens]
        agreement = compare(network, open_graph(folder / MODEL), pictures, merging)
        _check_agreement(agreement)
        certificate = make_certificate(agreement, pictures, recipe.weights)
        if recipe.card:
            shutil.copyfile(recipe.card, folder / CARD)
        entries = [golden for golden, _ in goldens]
        write_manifest(
            folder, make_manifest(checkpoint.path, variant, recipe, list_files(folder), certificate, entries)
        )
        report("proving the bundle, alone and in full batches")
        _prove(folder)
    return read_bundle(out)


def list_files(folder: Path) -> dict[str, FileEntry]:
    """Every file of a directory, for its manifest."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): file_entry(path) for path in paths}


def _check_agreement(agreement: Agreement) -> None:
    if misfits := agreement.misfits():
        raise ExportError(f"torch and ONNX Runtime disagree: {'; '.join(misfits)}. No bundle was written.")


def _prove(folder: Path) -> None:
    bundle = read_bundle(folder)
    for check in prove_goldens(bundle, open_graph(bundle.model)):
        if not check.holds:
            raise ExportError(f"{check.claim}: {check.finding}. No bundle was written.")


def check_place(out: Path) -> None:
    """Refuse a place where something else is.

    Raises: ExportError: it is a file, or a directory that holds something but no bundle.
    """
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise ExportError(f"{out} holds something that is no bundle. Give --out a new or empty directory.")
    if out.exists() and not out.is_dir():
        raise ExportError(f"{out} is a file. Give --out a new or empty directory.")


@contextmanager
def built_beside(out: Path) -> Iterator[Path]:
    """A directory that takes the place of `out` once the block ends well, and is gone where it fails."""
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = out.with_name(f".{out.name}.partial-{os.getpid()}")
    folder.mkdir()
    try:
        yield folder
        old = out.with_name(f".{out.name}.old-{os.getpid()}")
        if out.exists():
            out.rename(old)
        folder.rename(out)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
