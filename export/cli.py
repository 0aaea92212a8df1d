"""`panoptic-export`: a checkpoint becomes a bundle; `verify` proves one again, `quantize` and `null` make others."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NoReturn

import click

from export import ExportError
from model.bundle import Bundle, BundleError
from model.checkpoints import CheckpointError
from model.command_line import run_command
from model.variants import VARIANTS

DISPROVED = 1  # exit code: the command ran, and the bundle failed a proof
OWN_NAME = {"efficientnet-lite0": "street"}  # of the bundle, by variant

Sizes = tuple[tuple[int, int], ...]  # rows, columns
FILE = click.Path(path_type=Path)


def main() -> NoReturn:
    """Run `panoptic-export`."""
    arguments = sys.argv[1:]
    command = {"verify": verify, "null": null, "quantize": quantize}.get(
        arguments[0] if arguments else "", export
    )
    rest = arguments if command is export else arguments[1:]
    run_command(command, rest, mistakes=(BundleError, CheckpointError, ExportError, OSError))


def read_buckets(context: click.Context, option: click.Parameter, text: str | None) -> Sizes | None:
    """Parse `384x512,512x384`: rows x columns, separated by commas."""
    if text is None:
        return None
    parts = [re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", part.strip()) for part in text.split(",")]
    if not all(parts):
        raise click.BadParameter(
            f"{text!r} is no list of sizes; write rows x columns, as in 384x512,512x384."
        )
    return tuple((int(part[1]), int(part[2])) for part in parts if part)


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
    "an int8 one of it, `panoptic-export null --out DIR` one without a network, for measurements; each has its own "
    "--help.",
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
        images=_photographs(images),
        golden=golden,
        card=card,
        url=url,
    )
    if not source.metadata:
        click.echo(f"{source.path} is {network.name}; its bundle tells {recipe.licence!r} …", err=True)
    _tell(write_bundle(source, out, recipe, report=_report))


@click.command("panoptic-export verify")
@click.argument("bundle_path", metavar="BUNDLE", type=FILE)
@click.option(
    "--checkpoint", type=FILE, help="Compare with torch, too, on the weights the bundle was made of."
)
@click.option(
    "--images",
    type=FILE,
    multiple=True,
    metavar="PHOTO",
    help="Photograph for that comparison, or a folder of them; repeat it for more.  [default: the goldens]",
)
def verify(bundle_path: Path, checkpoint: Path | None, images: tuple[Path, ...]) -> int:
    """Prove BUNDLE again: its hashes, its graph, its goldens alone and in every row of a full batch.

    Ends with 0 where all holds, 1 where a proof fails, 2 where BUNDLE cannot be read or trusted.
    """
    from export.verify import prove_bundle

    if images and checkpoint is None:
        raise click.UsageError("--images needs --checkpoint, to compare with.")
    failed = 0
    for check in prove_bundle(bundle_path, checkpoint, _photographs(images)):
        click.echo(f"{'ok    ' if check.holds else 'FAILED'}  {check.claim}: {check.finding}")
        failed += not check.holds
    click.echo(f"{bundle_path}: {f'{failed} proofs failed' if failed else 'all proofs hold'}")
    return DISPROVED if failed else 0


@click.command("panoptic-export quantize")
@click.argument("bundle_path", metavar="BUNDLE", type=FILE)
@click.option(
    "--images",
    type=FILE,
    multiple=True,
    required=True,
    metavar="PHOTO",
    help="Photograph to calibrate on, or a folder of them; repeat it for more. Some dozens, like those to be served.",
)
@click.option(
    "--out", type=FILE, required=True, help="Directory to write; an older bundle there is replaced."
)
@click.option(
    "--equal-pixels",
    type=click.FloatRange(0, 1),
    default=0.995,
    show_default=True,
    help="Share of each golden's pixels that must be answered as in fp32, here and in every self-test.",
)
@click.option(
    "--keep",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="N",
    help="Convolutions, from the input on, that stay fp32.",
)
def quantize(bundle_path: Path, images: tuple[Path, ...], out: Path, equal_pixels: float, keep: int) -> None:
    """Make an int8 bundle of BUNDLE, an fp32 one, with a certificate that compares the two.

    It is written whole or not at all.
    """
    from export.quantize import write_int8

    photographs = _photographs(images)
    bundle = write_int8(bundle_path, out, photographs, equal_pixels=equal_pixels, keep=keep, report=_report)
    _tell(bundle, ("fp32", "int8"))


@click.command("panoptic-export null")
@click.option(
    "--out", type=FILE, required=True, help="Directory to write; an older bundle there is replaced."
)
@click.option(
    "--size",
    "sizes",
    callback=read_buckets,
    default="512x1024",
    show_default=True,
    metavar="SIZE",
    help="Input size, rows x columns.",
)
@click.option(
    "--instances",
    type=click.IntRange(0, 500),
    default=30,
    show_default=True,
    help="Things in the drawn scene.",
)
@click.option(
    "--classes",
    type=int,
    default=19,
    show_default=True,
    help="Classes: 19 (Cityscapes), 133 (COCO) or 17 (street).",
)
def null(out: Path, sizes: Sizes, instances: int, classes: int) -> None:
    """Write the null bundle: a graph whose heads are constants, a drawn scene, whatever the photograph.

    Serving it costs what is around a network: it is what `panoptic-bench` measures the service itself with.
    """
    from export.null import write_null_bundle

    if len(sizes) != 1:
        raise click.UsageError("--size takes one size, as in 512x1024.")
    _tell(write_null_bundle(out, size=sizes[0], instances=instances, classes=classes))


def _word(checkpoint: Path, metadata: Mapping[str, str], key: str) -> str:
    """What the checkpoint says of itself, where no option says it."""
    if key not in metadata:
        raise ExportError(f"{checkpoint} does not tell its {key}. Give --{key.replace('_', '-')}.")
    return metadata[key]


def _report(line: str) -> None:
    click.echo(f"{line} …", err=True)


def _tell(bundle: Bundle, compared: tuple[str, str] = ("torch", "ONNX Runtime")) -> None:
    certificate = bundle.manifest.certificate
    for head, difference in certificate.max_abs_difference.items():
        click.echo(f"{head}: {' and '.join(compared)} differ by at most {difference:.1e}", err=True)
    click.echo(f"{certificate.equal_panoptic_pixels:.4%} of the panoptic pixels are equal", err=True)
    size = sum(entry.size for entry in bundle.manifest.files.values()) / 1e6
    words = f"{bundle.manifest.name} {bundle.manifest.version}, {size:.1f} MB, {bundle.digest[:12]}"
    click.echo(f"{bundle.path}: {words}")


def _photographs(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """Files, and the files of folders in order of name."""
    found: list[Path] = []
    for path in paths:
        found += sorted(entry for entry in path.iterdir() if entry.is_file()) if path.is_dir() else [path]
    return tuple(found)


if __name__ == "__main__":
    main()
