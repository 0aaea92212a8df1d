"""The command `panoptic-train`."""

import re
import sys
from pathlib import Path

import click

from model.checkpoints import CheckpointError
from model.command_line import run_command


def read_size(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[int, int] | None:
    """Read ROWSxCOLUMNS.

    Raises: click.BadParameter: it is no size, or a side is below 64.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match or min(size := (int(match[1]), int(match[2]))) < 64:
        raise click.BadParameter(f"{text!r} is no size; write ROWSxCOLUMNS, both 64 or more, such as 128x256")
    return size


@click.command(name="panoptic-train", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("recipe", metavar="RECIPE")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False, exists=True), required=True,
              help="Directory of the data sets, or the folder of Cityscapes or COCO, as the recipe says.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, file_okay=False),
              help="Directory of the run: curves, checkpoint, weights. A run that stands there goes on.")  # fmt: skip
@click.option("--start", metavar="FILE",
              help="What a new run begins from: weights of ours, a backbone's ImageNet file, or `random`.")  # fmt: skip
@click.option("--steps", type=click.IntRange(1), help="Length of the whole run; the recipe's own by default.")
@click.option("--stop", type=click.IntRange(1), help="End after this step; a later call goes on from there.")
@click.option("--crop", callback=read_size, metavar="ROWSxCOLUMNS",
              help="For a trial: crops of this size, of photographs made as much smaller.")  # fmt: skip
@click.option("--batch", type=click.IntRange(1), help="For a trial: pictures a step, all processes together.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True,
              help="What computes; auto takes a GPU where there is one.")  # fmt: skip
@click.option("--precision", type=click.Choice(["auto", "float32", "bfloat16"]), default="auto", show_default=True,
              help="Of the network's arithmetic; auto takes bfloat16 on GPUs that compute in it.")  # fmt: skip
@click.option("--workers", type=click.IntRange(0), default=1, show_default=True,
              help="Processes that prepare batches ahead; 0 prepares them in between.")  # fmt: skip
@click.option("--threads", type=click.IntRange(1), help="Threads of the arithmetic; all cores by default.")
@click.option("--judge", type=click.Path(path_type=Path, dir_okay=False), metavar="WEIGHTS",
              help="Train nothing: print the figures of these weights on the recipe's validation folders.")  # fmt: skip
def command(
    *,
    recipe: str,
    data: Path,
    out: Path | None,
    start: str | None,
    steps: int | None,
    stop: int | None,
    crop: tuple[int, int] | None,
    batch: int | None,
    device: str,
    precision: str,
    workers: int,
    threads: int | None,
    judge: Path | None,
) -> None:
    """Train a network by a named RECIPE, alone or in several processes by torchrun.

    \b
    panoptic-train street --data DATA --out runs/street
    panoptic-train street --data DATA --judge runs/street/best.safetensors
    panoptic-train cityscapes-r52-dc5 --data CITYSCAPES --start R52.pth --out runs/r52
    torchrun --nproc-per-node 2 -m model.training.cli street --data DATA --out runs/street
    """  # noqa: D301 -- \b keeps click from joining the lines
    if judge is None and out is None:
        raise click.UsageError("say where the run shall stand, with --out DIR")
    from model.training import run  # torch takes seconds to import, and --help should not
    from model.training.device import choose_compute
    from model.training.recipe import make_smaller
    from model.training.recipes import find_recipe

    run.set_threads(threads)
    chosen = make_smaller(find_recipe(recipe), steps=steps, crop=crop, batch=batch)
    compute = choose_compute(device, precision)
    if judge:
        run.print_figures(chosen, data, judge, compute)
    elif out:
        run.run(chosen, data, out, compute=compute, start=start, stop=stop, workers=workers)


def main() -> None:
    """Run `panoptic-train`; mistakes end in one sentence and exit code 2."""
    run_command(command, sys.argv[1:], mistakes=(ValueError, CheckpointError), extra="train")


if __name__ == "__main__":
    main()
