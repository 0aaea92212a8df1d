from dataclasses import replace

import pytest

from model.training.optimizer import poly
from model.training.recipes import find_recipe

DETECTRON2 = find_recipe("cityscapes-r52-dc5")
ORIGINAL = find_recipe("cityscapes-r50-os32")


def published_factor(step: int) -> float:
    """Detectron2's warm-up, linear from 0.001, times its poly decay."""
    along = min(1.0, step / 1000)
    return (0.001 * (1 - along) + along) * (1 - step / 90_000) ** 0.9


@pytest.mark.parametrize("step", [0, 1, 500, 999, 1000, 45_000, 89_999])
def test_the_rate_follows_the_published_schedule_to_a_thousandth(step: int) -> None:
    assert poly(DETECTRON2)(step) == pytest.approx(published_factor(step), abs=1e-3)


def test_without_a_warm_up_the_first_step_has_the_whole_rate() -> None:
    assert poly(ORIGINAL)(0) == 1


def test_a_shorter_run_falls_to_zero_as_well() -> None:
    assert poly(replace(ORIGINAL, steps=10))(10) == 0
