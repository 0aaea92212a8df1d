import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.curriculum import load_curriculum
from model.training.device import ON_CPU, Compute, choose_compute
from model.training.loop import CHECKPOINT, Training, train, train_step
from model.training.losses import Losses
from model.training.recipe import Recipe
from model.training.stream import BatchStream

STREET = load_curriculum("street")
HALF_ON_CPU = Compute(torch.device("cpu"), torch.bfloat16)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)


def step(recipe: Recipe, data: Path, out: Path, compute: Compute) -> Losses:
    training = Training(recipe, out, compute)
    return train_step(training, training.network, BatchStream(recipe, data, STREET)[0], STREET)


def test_a_gpu_that_is_not_there_is_refused_with_what_to_do(no_gpu: None) -> None:
    with pytest.raises(ValueError, match=r"no CUDA device here.*Take --device cpu"):
        choose_compute("cuda")


def test_without_a_gpu_the_processors_compute_in_full_precision(no_gpu: None) -> None:
    assert choose_compute() == ON_CPU


@pytest.mark.parametrize(("bfloat16", "precision"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_gpu_computes_in_bfloat16_where_it_can(
    one_gpu: None, monkeypatch: pytest.MonkeyPatch, bfloat16: bool, precision: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bfloat16)
    assert choose_compute() == Compute(torch.device("cuda", 0), precision)


def test_more_processes_than_gpus_are_refused(one_gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(ValueError, match="machine with 1 GPUs"):
        choose_compute("cuda")


def test_losses_in_bfloat16_are_finite_float32_and_close(data: Path, recipe: Recipe, tmp_path: Path) -> None:
    full, half = (step(recipe, data, tmp_path, compute) for compute in (ON_CPU, HALF_ON_CPU))
    assert half.total.dtype == torch.float32
    assert math.isfinite(half.total)
    assert float(half.total) == pytest.approx(float(full.total), rel=0.02)


def test_weights_stay_float32_under_bfloat16(data: Path, recipe: Recipe, tmp_path: Path) -> None:
    training = train(recipe, data, tmp_path, compute=HALF_ON_CPU, stop=1, workers=0)
    state = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    assert {p.dtype for p in training.network.parameters()} == {torch.float32}
    assert "scaler" not in state  # bfloat16 needs none, so a resumed run lacks nothing


@pytest.mark.gpu
def test_a_run_on_a_gpu_learns_and_goes_on(data: Path, recipe: Recipe, tmp_path: Path) -> None:
    recipe, compute = replace(recipe, sync_norm=True), choose_compute("cuda")
    train(recipe, data, tmp_path, compute=compute, stop=3, workers=1)
    training = train(recipe, data, tmp_path, compute=compute, workers=1)
    assert training.step == recipe.steps
    assert all(p.is_cuda and p.isfinite().all() for p in training.network.parameters())
