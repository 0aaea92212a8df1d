"""What `panoptic-train` does: a run of a recipe, or a judgement of weights."""

from pathlib import Path

import click
import torch

from model.checkpoints.weights import load_network
from model.curriculum import load_curriculum
from model.training.datasets import open_source
from model.training.device import Compute, join_processes, leave_processes
from model.training.loop import CHECKPOINT, FINAL, Training, train
from model.training.recipe import Recipe
from model.training.report import figures_table, plot_curves
from model.training.validation import validate


def set_threads(threads: int | None) -> None:
    """Set the threads of the arithmetic."""
    if threads:
        torch.set_num_threads(threads)


def run(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
    compute: Compute,
    start: str | None = None,
    stop: int | None = None,
    workers: int = 1,
) -> None:
    """Train, and leave curves and weights."""
    compute = join_processes(compute)
    first = compute.rank == 0
    if first and (out / CHECKPOINT).is_file():
        click.echo(f"Going on with the run in {out}.", err=True)
    training = train(
        recipe,
        data,
        out,
        compute=compute,
        start=start,
        stop=stop,
        workers=workers,
        after_validation=_draw,
    )
    if first:
        training.write_weights(FINAL)
        click.echo(f"{training.step} steps; weights in {out / FINAL}.", err=True)
    leave_processes()


def print_figures(recipe: Recipe, data: Path, weights: Path, compute: Compute) -> None:
    """Print one Markdown table for each validation folder."""
    network = load_network(weights).to(compute.device)
    curriculum = load_curriculum(recipe.curriculum)
    for source in recipe.validation:
        folder = open_source(source, data, curriculum)
        click.echo(figures_table(source.name, validate(network, folder, curriculum)))


def _draw(training: Training) -> None:
    plot_curves(training.out)
