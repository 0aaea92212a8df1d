from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.curriculum import load_curriculum
from model.training.recipe import Recipe
from model.training.stream import BatchStream, batches

STREET = load_curriculum("street")


def test_a_step_shows_the_same_pictures_whenever_it_comes(data: Path, recipe: Recipe) -> None:
    first, again = BatchStream(recipe, data, STREET), BatchStream(recipe, data, STREET)
    again[0]
    assert torch.equal(first[5].images, again[5].images)
    assert torch.equal(first[5].targets.center, again[5].targets.center)


def test_two_processes_see_together_what_one_would(data: Path, recipe: Recipe) -> None:
    whole = BatchStream(recipe, data, STREET)[3].images
    parts = [BatchStream(recipe, data, STREET, rank, world=2)[3].images for rank in (0, 1)]
    assert torch.equal(whole, torch.cat(parts))


def test_preparing_a_batch_leaves_the_random_generator_alone(data: Path, recipe: Recipe) -> None:
    stream = BatchStream(recipe, data, STREET)
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    stream[0]
    assert torch.equal(torch.rand(1), expected)


def test_workers_prepare_what_the_process_itself_would(data: Path, recipe: Recipe) -> None:
    stream = BatchStream(recipe, data, STREET)
    alone = [batch.images for batch in batches(stream, 2, 5, workers=0)]
    ahead = [batch.images for batch in batches(stream, 2, 5, workers=1)]
    assert all(torch.equal(a, b) for a, b in zip(alone, ahead, strict=True))


def test_images_and_labels_stay_together_under_augmentation(data: Path, recipe: Recipe) -> None:
    batch = BatchStream(recipe, data, STREET)[1]
    red = (batch.images[..., 0].int() - batch.images[..., 2].int()) > 90
    car = batch.targets.codes == 11
    known = batch.targets.codes != 255
    assert car.any()
    assert (red & known)[~car].float().mean() < 0.05


def test_a_batch_that_processes_cannot_share_is_refused(data: Path, recipe: Recipe) -> None:
    with pytest.raises(ValueError, match="cannot be shared by 3"):
        BatchStream(replace(recipe, batch=4), data, STREET, world=3)
