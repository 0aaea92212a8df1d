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
def quantize(
    bundle_path: Path,
    images: tuple[Path, ...],
    out: Path,
    equal_pixels: float,
    precision: Literal["int8", "fp16", "fp8"],
    symmetric: bool,
    keep: int,
) -> None:
    """Make a bundle of BUNDLE, an fp32 one, in a shorter number format, with a certificate that compares the two.

    It is written whole or not at all.
    """
    from export.quantize import write_shorter

    bundle = write_shorter(
        bundle_path,
        out,
        photographs(images),
        equal_pixels=equal_pixels,
        keep=keep,
        precision=precision,
        symmetric=symmetric,
        report=report_step,
    )
    tell_bundle(bundle, ("fp32", precision))
