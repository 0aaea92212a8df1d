"""`panoptic-export CHECKPOINT`: a checkpoint becomes a bundle."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import click

from export import EQUAL_PIXELS, ExportError
from export.commands.words import FILE, Sizes, photographs, read_buckets, report_step, tell_bundle
from model.variants import VARIANTS

OWN_NAME = {"efficientnet-lite0": "street"}  # of the bundle, by variant


def read_numbers(context: click.Context, option: click.Parameter, text: str) -> tuple[int, ...]:
    """Parse `1,2,4,8`: positive numbers, separated by commas."""
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"[1-9]\d{0,3}", part) for part in parts):
        raise click.BadParameter(f"{text!r} is no list of numbers; write them as in 1,2,4,8.")
    return tuple(map(int, parts))


@click.command(
    "panoptic-export",
    options_metavar="[OPTIONS]",
    epilog="`panoptic-export verify BUNDLE` proves an existing bundle again, `panoptic-export quantize BUNDLE` makes "
    "an int8 one of it, `panoptic-export engine BUNDLE` an engine for GPUs, `panoptic-export null --out DIR` a bundle "
    "without a network, for measurements; each has its own --help.",
)
@click.argument("checkpoint", type=FILE, required=False)
@click.option(
    "--weights",
    metavar="NAME",
    help="Published weights instead of CHECKPOINT, such as r52-dc5: fetched once, and kept in the cache.",
)
@click.option("--cache", type=FILE, metavar="DIR", help="Where they are kept.  [default: the user's cache]")
@click.option(
    "--variant",
    type=click.Choice(sorted(VARIANTS)),
    metavar="NAME",
    help="Which network CHECKPOINT holds.  [default: told by its metadata, or by its names and shapes]",
)
@click.option(
    "--out", type=FILE, required=True, help="Directory to write; an older bundle there is replaced."
)
@click.option("--name", help="Name of the model.  [default: street for our own, else the variant]")
@click.option("--version", help="Version of the model.  [default: the checkpoint's, else 1]")
@click.option("--licence", help="Licence of the weights, in words.  [default: the checkpoint's]")
@click.option("--training-data", help="What it was trained on, in words.  [default: the checkpoint's]")
@click.option(
    "--buckets",
    callback=read_buckets,
    metavar="SIZES",
    help="Input sizes, rows x columns, as in 384x512,512x384.  [default: the variant's, turned too if one graph can]",
)
@click.option(
    "--batch-sizes",
    callback=read_numbers,
    default="1,2,4,8",
    show_default=True,
    metavar="NUMBERS",
    help="Batch sizes the service may run, ascending from 1.",
)
@click.option(
    "--grid",
    type=click.Choice(["input", "output"]),
    help="Where centers are found: on the network's input, or on the photograph as published."
    "  [default: input for our own variants, else output]",
)
@click.option(
    "--images",
    type=FILE,
    multiple=True,
    metavar="PHOTO",
    help="Photograph for the certificate, or a folder of them; repeat it for more.  [default: the goldens]",
)
@click.option(
    "--golden", type=FILE, metavar="PHOTO", help="Photograph for the self-test.  [default: a drawing]"
)
@click.option(
    "--equal-pixels",
    type=click.FloatRange(0, 1),
    default=EQUAL_PIXELS,
    show_default=True,
    help="Share of a golden's pixels that every engine must answer as torch did. Less lets bf16 in: show first, by"
    " panoptic-evaluate, that it keeps the figures.",
)
@click.option(
    "--card",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Model card in Markdown, kept in the bundle as README.md.",
)
def export(
    *,
    checkpoint: Path | None,
    weights: str | None,
    cache: Path | None,
    variant: str | None,
    out: Path,
    name: str | None,
    version: str | None,
    licence: str | None,
    training_data: str | None,
    buckets: Sizes | None,
    batch_sizes: tuple[int, ...],
    grid: Literal["input", "output"] | None,
    images: tuple[Path, ...],
    golden: Path | None,
    equal_pixels: float,
    card: Path | None,
) -> None:
    """Make a bundle, for the service to serve, of CHECKPOINT: a weights file of panoptic-train (safetensors), of
    Detectron2 (.pkl, .pth) or of the original repository (.pth, .pth.tar). Reading it executes nothing.

    The bundle holds the ONNX graph, the manifest, a golden picture for each input size with its expected answer, and
    a certificate: how far ONNX Runtime's answers lie from torch's. It is written whole or not at all.
    """
    from export.bundle import write_bundle  # torch takes seconds to import, and --help should not
    from export.manifest import Recipe
    from export.pooling import usual_buckets
    from export.source import open_source, words_of

    if (checkpoint is None) == (weights is None):
        raise click.UsageError("Give either CHECKPOINT, a weights file, or --weights NAME.")
    source, url = open_source(checkpoint, weights, variant, cache)
    words = words_of(source)
    network = source.variant
    recipe = Recipe(
        name=name or OWN_NAME.get(network.name, network.name),
        version=version or words.get("version", "1"),
        licence=licence or _word(source.path, words, "licence"),
        training_data=training_data or _word(source.path, words, "training_data"),
        weights=words.get("weights", "trained"),
        published=words.get("figures"),
        buckets=buckets or usual_buckets(network.input.size, network),
        batch_sizes=batch_sizes,
        grid=grid or ("input" if network.flavour == "own" else "output"),
        images=photographs(images),
        golden=golden,
        equal_pixels=equal_pixels,
        card=card,
        url=url,
    )
    if not source.metadata:
        click.echo(f"{source.path} is {network.name}; its bundle tells {recipe.licence!r} …", err=True)
    tell_bundle(write_bundle(source, out, recipe, report=report_step))


def _word(checkpoint: Path, metadata: Mapping[str, str], key: str) -> str:
    """What the checkpoint says of itself, where no option says it."""
    if key not in metadata:
        raise ExportError(f"{checkpoint} does not tell its {key}. Give --{key.replace('_', '-')}.")
    return metadata[key]
