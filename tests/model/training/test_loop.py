import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from model.curriculum import load_curriculum
from model.training.datasets import PanopticFolder
from model.training.loop import CHECKPOINT, CURVES, Training, judge, train
from model.training.recipe import Recipe
from model.training.report import figures_table, plot_curves

STREET = load_curriculum("street")


def curve(out: Path) -> list[list[str]]:
    with (out / CURVES).open() as file:
        return [row[:-1] for row in csv.reader(file)]  # without the seconds


@pytest.fixture(scope="module")
def two_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


def test_a_run_resumed_after_a_stop_takes_the_same_curve(
    data: Path, recipe: Recipe, tmp_path: Path, two_threads: None
) -> None:
    train(recipe, data, tmp_path / "whole", stop=6, workers=0)
    train(recipe, data, tmp_path / "parts", stop=3, workers=0)
    resumed = train(recipe, data, tmp_path / "parts", stop=6, workers=0)
    assert resumed.step == 6
    assert curve(tmp_path / "parts") == curve(tmp_path / "whole")


def test_a_run_learns_its_pictures(data: Path, recipe: Recipe, tmp_path: Path, two_threads: None) -> None:
    train(recipe, data, tmp_path, workers=0)
    losses = [float(row[2]) for row in curve(tmp_path)[1:]]
    assert sum(losses[-2:]) < sum(losses[:2])


def test_a_torn_checkpoint_never_replaces_a_whole_one(
    data: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, two_threads: None
) -> None:
    train(recipe, data, tmp_path, stop=1, workers=0)
    whole = (tmp_path / CHECKPOINT).read_bytes()
    training = Training(recipe, tmp_path)

    def torn(state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", torn)
    with pytest.raises(KeyboardInterrupt):
        training.save()
    assert (tmp_path / CHECKPOINT).read_bytes() == whole


def test_a_judged_run_leaves_figures_curves_and_its_best_weights(
    data: Path, recipe: Recipe, tmp_path: Path, two_threads: None
) -> None:
    training = train(recipe, data, tmp_path, stop=1, workers=0)
    folder = PanopticFolder(data / "scenes", STREET, "coco")
    figures = judge(training, {"scenes": folder}, STREET)["scenes"]
    plot_curves(tmp_path)
    assert (tmp_path / "best.safetensors").is_file()
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert "| **mean of 3** |" in figures_table("scenes", figures)


TWO_PROCESSES = """
import sys
from dataclasses import replace
from collections.abc import Iterator
from pathlib import Path
import torch
import torch.distributed as dist
from model.training.device import ON_CPU, join_processes, distribute
from model.training.layouts import Source
from model.training.loop import Training, train_step
from model.training.losses import LossSpec
from model.training.recipes import STREET
from model.training.scales import WithinRectangle
from model.training.augmentation import Augmentation
from model.training.stream import BatchStream
from model.curriculum import load_curriculum
from torch import nn

torch.set_num_threads(1)
out, data = Path(sys.argv[1]), Path(sys.argv[2])
compute = join_processes(ON_CPU)
rank, world = compute.rank, compute.world
recipe = replace(
    STREET, sources=(Source("scenes", "coco"),), steps=8, batch=2, clip=1e9, learning_rate=0.0,
    augmentation=Augmentation((64, 96), WithinRectangle((64, 96), 0.8, 1.2)),
    losses=LossSpec(hard_pixels=1.0, center=100.0, offset=0.03),
)
training = Training(recipe, out / "run", compute)
# Norms of one picture a process are not those of two pictures, and dropout differs: both are held still here.
for module in training.network.modules():
    if isinstance(module, (nn.BatchNorm2d, nn.Dropout)):
        module.train = lambda mode=True, module=module: module
        module.training = False
network = distribute(training.network, compute, sync_norm=recipe.sync_norm)
curriculum = load_curriculum("street")
train_step(training, network, BatchStream(recipe, data, curriculum, rank, world)[0], curriculum)
if rank == 0:
    torch.save({n: p.grad for n, p in training.network.named_parameters()}, out / f"{world}.pt")
if world > 1:
    dist.destroy_process_group()
"""


def test_two_gloo_processes_take_the_gradients_of_one(data: Path, tmp_path: Path) -> None:
    script = tmp_path / "step.py"
    script.write_text(TWO_PROCESSES)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for command in ([sys.executable], launch):
        subprocess.run(
            [*command, script, tmp_path, data], env=environment, check=True, capture_output=True, timeout=300
        )
    one, two = (torch.load(tmp_path / f"{world}.pt", weights_only=True) for world in (1, 2))
    for name, gradient in one.items():
        scale = gradient.abs().max().clamp(min=1e-6)
        torch.testing.assert_close(two[name] / scale, gradient / scale, rtol=1e-3, atol=1e-3, msg=name)
