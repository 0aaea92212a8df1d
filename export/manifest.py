"""The manifest of a bundle, made of its variant, its recipe and its proofs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from export import EQUAL_PIXELS, ExportError
from export.onnx_graph import INPUT, side_form
from model.bundle import (
    Certificate,
    FileEntry,
    Golden,
    InputSpec,
    Manifest,
    Size,
    Source,
    file_entry,
)
from model.declaration import category_specs, heads_spec, merging_spec
from model.variants import Variant, find_variant


@dataclass(frozen=True)
class Recipe:
    """What a bundle says and holds beside the weights."""

    name: str
    version: str
    licence: str
    training_data: str
    weights: str  # in words: trained, or which stand-in
    published: str | None  # figures, in words
    buckets: tuple[Size, ...]
    batch_sizes: tuple[int, ...]
    grid: Literal["input", "output"]
    images: tuple[Path, ...] = ()  # photographs for the certificate; none: the goldens
    golden: Path | None = None  # a photograph; none: a drawn picture
    card: Path | None = None  # a model card in Markdown, kept as README.md
    equal_pixels: float = EQUAL_PIXELS  # share of a golden that every engine must answer alike
    url: str | None = None  # where the weights were fetched


def make_manifest(
    checkpoint: Path,
    variant: Variant,
    recipe: Recipe,
    files: Mapping[str, FileEntry],
    certificate: Certificate,
    goldens: Sequence[Golden],
) -> Manifest:
    """Put it all together."""
    return Manifest(
        format=1,
        name=recipe.name,
        version=recipe.version,
        variant=variant.name,
        licence=recipe.licence,
        training_data=recipe.training_data,
        source=Source(
            sha256=file_entry(checkpoint).sha256,
            flavour=variant.flavour,
            published=recipe.published,
            url=recipe.url,
            pooling="published" if variant == find_variant(variant.name) else "global",
        ),
        input=InputSpec(
            name=INPUT,
            buckets=recipe.buckets,
            batch_sizes=recipe.batch_sizes,
            pad_value=variant.input.pad_value,
        ),
        heads=heads_spec(variant),
        categories=category_specs(variant),
        merging=merging_spec(variant, recipe.grid),
        files=dict(files),
        certificate=certificate,
        goldens=tuple(goldens),
    )


def check_sizes(variant: Variant, recipe: Recipe) -> None:
    """Refuse buckets and batch sizes that the graph cannot take.

    Raises: ExportError: a side is not of the graph's form, or the batch sizes do not ascend from 1.
    """
    form = side_form(variant)
    for bucket in recipe.buckets:
        if not form.holds(bucket):
            raise ExportError(
                f"the sides of the bucket {bucket[0]}x{bucket[1]} must be {form}, for {variant.name}."
            )
    sizes = recipe.batch_sizes
    if sizes[0] != 1 or list(sizes) != sorted(set(sizes)):
        raise ExportError(f"the batch sizes {', '.join(map(str, sizes))} must ascend from 1, as in 1,2,4,8.")
