import csv
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from model.checkpoints.weights import read_metadata
from model.training.cli import command
from model.training.loop import CURVES, FINAL
from model.training.published import ROWS
from model.training.recipe import Recipe, make_smaller, training_variant
from model.training.recipes import RECIPES, find_recipe
from model.variants import VARIANTS, find_variant
from tests.model.training.official import write_cityscapes, write_coco

WRITERS: dict[str, Callable[[Path], Path]] = {"cityscapes": write_cityscapes, "coco": write_coco}
SMALL = {"detectron2": "64x128", "original": "65x129"}
CHEAP = ("cityscapes-mobilenet-v2-os32", "coco-r52-dc5-dsconv")


def two_steps(name: str, out: Path) -> list[float]:
    recipe = find_recipe(name)
    root = WRITERS[recipe.curriculum](out / "data")
    crop = "64x64" if recipe.curriculum == "coco" else SMALL[find_variant(recipe.variant).flavour]
    options = ["--data", root, "--out", out / "run", "--start", "random", "--device", "cpu"]
    options += ["--steps", 2, "--crop", crop, "--batch", 2, "--workers", 0]
    CliRunner().invoke(command, [name, *map(str, options)], catch_exceptions=False, standalone_mode=False)
    assert read_metadata(out / "run" / FINAL)["variant"] == recipe.variant
    with (out / "run" / CURVES).open() as file:
        return [float(row[what]) for row in csv.DictReader(file) for what in ("semantic", "center", "offset")]


@pytest.mark.parametrize("name", CHEAP)
def test_a_published_recipe_takes_two_steps_in_its_official_layout(name: str, tmp_path: Path) -> None:
    losses = two_steps(name, tmp_path)
    assert len(losses) == 6
    assert all(map(math.isfinite, losses))


@pytest.mark.slow
@pytest.mark.parametrize("name", [recipe.name for recipe in ROWS if recipe.name not in CHEAP])
def test_every_published_recipe_takes_two_steps_in_its_official_layout(name: str, tmp_path: Path) -> None:
    losses = two_steps(name, tmp_path)
    assert len(losses) == 6
    assert all(map(math.isfinite, losses))


def test_every_variant_with_published_figures_has_a_recipe() -> None:
    published = {name for name, variant in VARIANTS.items() if variant.published}
    assert {recipe.variant for recipe in ROWS} == published


def test_a_recipe_is_named_for_its_data_and_its_variant() -> None:
    assert {"street", "cityscapes-r52-dc5", "coco-r52-dc5-dsconv", "cityscapes-r50-os32"} <= set(RECIPES)
    assert len(RECIPES) == len(ROWS) + 1


@pytest.mark.parametrize("recipe", ROWS, ids=lambda recipe: recipe.name)
def test_the_published_crop_is_what_the_variant_pools_over(recipe: Recipe) -> None:
    variant = find_variant(recipe.variant)
    cells = tuple(math.ceil(side / variant.coarsest_stride) for side in recipe.augmentation.crop)
    assert cells == variant.pooling_kernel


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("cityscapes-r52-dc5", (1e-3, 90_000, 32, 1000, 10.0, 0.2, "rounded")),
        ("coco-r52-dc5-dsconv", (5e-4, 200_000, 64, 1000, 8.0, 1.0, "rounded")),
        ("cityscapes-r50-os32", (5e-5, 90_000, 8, 1, 8.0, 0.2, "truncated")),
        ("cityscapes-mobilenet-v2-os32", (1e-4, 90_000, 16, 1, 8.0, 0.2, "truncated")),
        ("cityscapes-xception65-os32", (5e-4, 90_000, 8, 1, 8.0, 0.2, "truncated")),
    ],
)
def test_a_recipe_has_the_published_numbers(name: str, numbers: tuple[object, ...]) -> None:
    r = find_recipe(name)
    shared = (r.optimizer, r.weight_decay, r.power, r.clip, r.ema, r.losses.center, r.losses.offset)
    assert shared == ("adam", 0.0, 0.9, None, 0.0, 200.0, 0.01)
    own = (r.learning_rate, r.steps, r.batch, r.warm_up, r.targets.sigma, r.losses.hard_pixels)
    assert (*own, r.targets.centroid) == numbers


def test_a_trial_pools_over_the_whole_of_its_input() -> None:
    trial = make_smaller(find_recipe("cityscapes-r52-dc5"), crop=(128, 256), batch=2)
    variant = training_variant(trial)
    assert (variant.input.size, variant.pooling_kernel, trial.batch) == ((128, 256), (8, 16), 2)


def test_an_unknown_recipe_is_refused_with_those_known() -> None:
    with pytest.raises(ValueError, match="'r52'; there are cityscapes-hrnet48, "):
        find_recipe("r52")


def test_a_crop_that_is_no_size_is_refused(tmp_path: Path) -> None:
    ended = CliRunner().invoke(command, ["street", "--data", str(tmp_path), "--crop", "64"])
    assert (ended.exit_code, "write ROWSxCOLUMNS" in ended.output) == (2, True)
