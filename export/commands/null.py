"""`panoptic-export null`: a bundle without a network."""

from pathlib import Path

import click

from export.commands.words import FILE, Sizes, read_buckets, tell_bundle


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
    tell_bundle(write_null_bundle(out, size=sizes[0], instances=instances, classes=classes))
