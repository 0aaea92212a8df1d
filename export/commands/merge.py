"""`panoptic-export merge`: a bundle's graph with the merging in it, one file a bucket."""

from pathlib import Path

import click

from export.commands.words import FILE, report_step
from model.bundle import read_bundle
from model.merged import merged_folder


@click.command("panoptic-export merge")
@click.argument("bundle_path", metavar="BUNDLE", type=FILE)
@click.option(
    "--out",
    type=FILE,
    help="Directory for ROWSxCOLUMNS.onnx, one a bucket; by default the bundle's own merged/, where it is served from.",
)
def merge(bundle_path: Path, out: Path | None) -> None:
    """Write BUNDLE's graph with the merging behind it, one for each bucket, each proved on the bucket's golden.

    Pictures of the bucket's size go in, and two maps come out: `classes`, and `instances` by the nearest center. Small
    tables come out too, of which segments are scored.
    """
    from export.merged import write_merged

    bundle = read_bundle(bundle_path)
    for path, share in write_merged(bundle, out or merged_folder(bundle), report_step):
        click.echo(
            f"{path}: {path.stat().st_size / 1e6:.1f} MB, {share:.4%} of the golden's pixels as expected"
        )
