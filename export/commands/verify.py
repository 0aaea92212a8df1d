"""`panoptic-export verify`: a bundle proved again."""

from pathlib import Path

import click

from export.commands.words import FILE, photographs

DISPROVED = 1  # exit code: the command ran, and the bundle failed a proof


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
    for check in prove_bundle(bundle_path, checkpoint, photographs(images)):
        click.echo(f"{'ok    ' if check.holds else 'FAILED'}  {check.claim}: {check.finding}")
        failed += not check.holds
    click.echo(f"{bundle_path}: {f'{failed} proofs failed' if failed else 'all proofs hold'}")
    return DISPROVED if failed else 0
