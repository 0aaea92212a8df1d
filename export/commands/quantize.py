"""`panoptic-export quantize`: a bundle in a shorter number format."""

from pathlib import Path
from typing import Literal

import click

from export.commands.words import FILE, photographs, report_step, tell_bundle


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
    "--precision",
    type=click.Choice(["int8", "fp16", "fp8"]),
    default="int8",
    show_default=True,
    help="Number format. fp8 and fp16 are for GPUs.",
)
@click.option("--symmetric", is_flag=True, help="int8 without zero points, as TensorRT wants it.")
@click.option(
    "--keep",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="N",
    help="Convolutions, from the input on, that stay fp32.",
)
@click.option(
    "--data",
    type=FILE,
    metavar="DATASET",
    help="Labelled photographs: PQ and mIoU on them, beside those of fp32, go into the certificate.",
)
@click.option(
    "--mapping",
    nargs=2,
    metavar="CURRICULUM SET",
    help="How DATASET's classes are read as the bundle's, as in street camvid.  [default: they are the same]",
)
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", help="Judge the first N photographs of DATASET."
)
@click.option(
    "--max-loss",
    type=click.FloatRange(0, 100),
    default=1.0,
    show_default=True,
    metavar="POINTS",
    help="Points of PQ, and of mIoU, that may be lost on DATASET; a bundle that loses more is not written.",
)
@click.option("--unjudged", is_flag=True, help="Do without DATASET: the certificate then tells no figures.")
def quantize(
    bundle_path: Path,
    images: tuple[Path, ...],
    out: Path,
    equal_pixels: float,
    precision: Literal["int8", "fp16", "fp8"],
    symmetric: bool,
    keep: int,
    data: Path | None,
    mapping: tuple[str, str] | None,
    limit: int | None,
    max_loss: float,
    unjudged: bool,
) -> None:
    """Make a bundle of BUNDLE, an fp32 one, in a shorter number format, with a certificate that compares the two.

    It is written whole or not at all.
    """
    from export.judgement import Jury, told
    from export.quantize import write_shorter

    if (data is None) != unjudged:
        raise click.UsageError(
            "Give either --data DATASET, on which PQ and mIoU are held against those of fp32, or --unjudged."
        )
    jury = Jury(data, mapping, limit, max_loss) if data else None
    bundle = write_shorter(
        bundle_path,
        out,
        photographs(images),
        equal_pixels=equal_pixels,
        keep=keep,
        precision=precision,
        symmetric=symmetric,
        jury=jury,
        report=report_step,
    )
    if quality := bundle.manifest.certificate.quality:
        click.echo(told(quality), err=True)
    tell_bundle(bundle, ("fp32", precision))
