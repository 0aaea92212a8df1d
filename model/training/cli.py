"""The command `panoptic-train`."""

import sys
from pathlib import Path

import click

from model.checkpoints import CheckpointError
from model.command_line import run_command


@click.command(name="panoptic-train", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("recipe", metavar="RECIPE")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False, exists=True), required=True,
              help="Directory of the data sets; each is a folder in COCO's panoptic layout.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, file_okay=False),
              help="Directory of the run: curves, checkpoint, weights. A run that stands there goes on.")  # fmt: skip
@click.option("--steps", type=click.IntRange(1), help="Length of the whole run; the recipe's own by default.")
@click.option("--stop", type=click.IntRange(1), help="End after this step; a later call goes on from there.")
@click.option("--workers", type=click.IntRange(0), default=1, show_default=True,
              help="Processes that prepare batches ahead; 0 prepares them in between.")  # fmt: skip
@click.option("--threads", type=click.IntRange(1), help="Threads of the arithmetic; all cores by default.")
@click.option("--judge", type=click.Path(path_type=Path, dir_okay=False), metavar="WEIGHTS",
              help="Train nothing: print the figures of these weights on the recipe's validation folders.")  # fmt: skip
def command(
    recipe: str,
    data: Path,
    out: Path | None,
    steps: int | None,
    stop: int | None,
    workers: int,
    threads: int | None,
    judge: Path | None,
) -> None:
    """Train a network by a named RECIPE, alone or in several processes by torchrun.

    \b
    panoptic-train street --data DATA --out runs/street
    panoptic-train street --data DATA --judge runs/street/best.safetensors
    torchrun --nproc-per-node 2 -m model.training.cli street --data DATA --out runs/street
    """  # noqa: D301 -- \b keeps click from joining the lines
    if judge is None and out is None:
        raise click.UsageError("say where the run shall stand, with --out DIR")
    from model.training import run  # torch takes seconds to import, and --help should not

    chosen = run.prepare(recipe, steps, threads)
    if judge:
        run.print_figures(chosen, data, judge)
    elif out:
        run.run(chosen, data, out, stop, workers)


def main() -> None:
    """Run `panoptic-train`; mistakes end in one sentence and exit code 2."""
    run_command(command, sys.argv[1:], mistakes=(ValueError, CheckpointError))


if __name__ == "__main__":
    main()
