"""What `panoptic-train` does: a run of a recipe, or a judgement of weights."""

from dataclasses import replace
from pathlib import Path

import click
import torch

from model.checkpoints.weights import load_network
from model.curriculum import load_curriculum
from model.training.datasets import PanopticFolder
from model.training.loop import CHECKPOINT, FINAL, Training, train
from model.training.recipes import Recipe, find_recipe
from model.training.report import figures_table, plot_curves
from model.training.validation import validate


def prepare(name: str, steps: int | None, threads: int | None) -> Recipe:
    """Look a recipe up and set the process's threads.

    Raises: ValueError: there is no such recipe.
    """
    if threads:
        torch.set_num_threads(threads)
    recipe = find_recipe(name)
    return replace(recipe, steps=steps or recipe.steps)


def run(recipe: Recipe, data: Path, out: Path, stop: int | None, workers: int) -> None:
    """Train, and leave curves and weights."""
    if (out / CHECKPOINT).is_file():
        click.echo(f"Going on with the run in {out}.", err=True)
    training = train(recipe, data, out, stop=stop, workers=workers, after_validation=_draw)
    training.write_weights(FINAL)
    click.echo(f"{training.step} steps; weights in {out / FINAL}.", err=True)


def print_figures(recipe: Recipe, data: Path, weights: Path) -> None:
    """Print one Markdown table for each validation folder."""
    network = load_network(weights)
    curriculum = load_curriculum(recipe.curriculum)
    for source in recipe.validation:
        folder = PanopticFolder(data / source.folder, curriculum, source.data_set)
        click.echo(figures_table(source.folder, validate(network, folder, curriculum)))


def _draw(training: Training) -> None:
    plot_curves(training.out)
