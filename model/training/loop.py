"""The training loop: one process, or several by torchrun."""

import csv
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from model.checkpoints.weights import write_weights
from model.curriculum import Curriculum, load_curriculum
from model.network.panoptic_deeplab import Heads, PanopticDeepLab, normalize, upsample
from model.training.datasets import PanopticFolder
from model.training.imagenet import load_imagenet
from model.training.losses import Losses, panoptic_losses
from model.training.recipes import Recipe
from model.training.stream import Batch, BatchStream, batches
from model.training.validation import Figures, validate
from model.variants import find_variant

CHECKPOINT = "last.pt"
BEST = "best.safetensors"
FINAL = "final.safetensors"
CURVES = "curves.csv"
VALIDATION = "validation.csv"
CURVE_COLUMNS = ("step", "rate", "semantic", "center", "offset", "seconds")
VALIDATION_COLUMNS = ("step", "data", "iou", "pq", "sq", "rq")


class Training:
    """A run: the network, its averaged twin, the optimizer and how far it is."""

    def __init__(self, recipe: Recipe, out: Path):
        """Start a run anew, or where the checkpoint in `out` left it."""
        self.recipe, self.out = recipe, out
        self.variant = find_variant(recipe.variant)
        torch.manual_seed(recipe.seed)
        self.network = PanopticDeepLab(self.variant).to(memory_format=torch.channels_last)
        load_imagenet(self.network.backbone, self.variant)
        self.optimizer = AdamW(_groups(self.network, recipe), weight_decay=recipe.weight_decay)
        self.schedule = LambdaLR(self.optimizer, _poly(recipe))
        average = get_ema_multi_avg_fn(recipe.ema)
        self.average = AveragedModel(self.network, multi_avg_fn=average, use_buffers=True)
        self.step = 0
        self.best = -1.0
        if (out / CHECKPOINT).is_file():
            self._resume()

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        part = self.out / f"{CHECKPOINT}.part"
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "step": self.step,
            "best": self.best,
        }
        torch.save(state, part)
        part.replace(self.out / CHECKPOINT)

    def write_weights(self, name: str) -> None:
        """Write the averaged weights with what there is to say of them."""
        metadata = {
            "variant": self.variant.name,
            "recipe": self.recipe.name,
            "licence": self.recipe.licence,
            "training_data": self.recipe.training_data,
            "steps": str(self.step),
        }
        write_weights(self.out / name, self.averaged().state_dict(), metadata)

    def averaged(self) -> PanopticDeepLab:
        """The averaged network."""
        network = self.average.module
        assert isinstance(network, PanopticDeepLab)
        return network

    def _resume(self) -> None:
        state = torch.load(self.out / CHECKPOINT, map_location="cpu", weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.step, self.best = int(state["step"]), float(state["best"])


def train(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
    stop: int | None = None,
    workers: int = 1,
    save_every: int = 200,
    after_validation: Callable[[Training], None] = lambda training: None,
) -> Training:
    """Run a recipe on the data under `data`, with logs, checkpoints and best weights in `out`.

    Args:
        stop:             end after this step, before the recipe's end; the schedule stays the recipe's.
        after_validation: called when figures and curves have been written.
    """
    out.mkdir(parents=True, exist_ok=True)
    rank, world = _join_processes()
    curriculum = load_curriculum(recipe.curriculum)
    training = Training(recipe, out)
    stream = BatchStream(recipe, data, curriculum, rank, world)
    folders = {s.folder: PanopticFolder(data / s.folder, curriculum, s.data_set) for s in recipe.validation}
    last = min(stop or recipe.steps, recipe.steps)
    network: nn.Module = training.network
    if world > 1:
        network = DistributedDataParallel(network)
    bar = tqdm(total=recipe.steps, initial=training.step, disable=rank > 0, unit="step", mininterval=5)
    started = time.perf_counter()
    for batch in batches(stream, training.step, last, workers):
        losses = train_step(training, network, batch, curriculum)
        bar.update()
        seconds = time.perf_counter() - started
        started += seconds
        if rank == 0:
            bar.set_postfix(semantic=f"{losses.semantic:.3f}", center=f"{losses.center:.3f}", refresh=False)
            _log(training, losses, seconds)
            if training.step % recipe.validate_every == 0 or training.step == recipe.steps:
                judge(training, _due(folders, training), curriculum)
                after_validation(training)
            if training.step % save_every == 0 or training.step == last:
                training.save()
    bar.close()
    return training


def train_step(training: Training, network: nn.Module, batch: Batch, curriculum: Curriculum) -> Losses:
    """Take one step on one batch; `network` is the training's own, or its distributed wrapper."""
    recipe, variant = training.recipe, training.variant
    torch.manual_seed(
        recipe.seed + training.step
    )  # of dropout: a resumed run drops what the killed one would have
    network.train()
    if recipe.freeze_backbone_norm:
        freeze_norm(training.network.backbone)
    images = normalize(batch.images, variant.input).contiguous(memory_format=torch.channels_last)
    rows, columns = images.shape[2:]
    heads = Heads(*network(images))
    full = upsample(heads, variant, (rows, columns))
    losses = panoptic_losses(full, batch.targets, curriculum.unions, recipe.losses)
    training.optimizer.zero_grad(set_to_none=True)
    losses.total.backward()
    nn.utils.clip_grad_norm_(training.network.parameters(), recipe.clip)
    training.optimizer.step()
    training.schedule.step()
    training.average.update_parameters(training.network)
    training.step += 1
    return Losses(losses.semantic.detach(), losses.center.detach(), losses.offset.detach())


def judge(
    training: Training, folders: dict[str, PanopticFolder], curriculum: Curriculum
) -> dict[str, Figures]:
    """Validate the averaged weights on every folder, write the figures, and keep the weights if they are the best."""
    figures = {name: validate(training.averaged(), folder, curriculum) for name, folder in folders.items()}
    for name, found in figures.items():
        means = (f"{found.mean(what):.4f}" for what in VALIDATION_COLUMNS[2:])
        _append(training.out / VALIDATION, VALIDATION_COLUMNS, [training.step, name, *means])
    chooser = next(iter(figures.values()))
    score = chooser.mean("iou") + chooser.mean("pq")
    if score > training.best:
        training.best = score
        training.write_weights(BEST)
    return figures


def _due(folders: dict[str, PanopticFolder], training: Training) -> dict[str, PanopticFolder]:
    """The folder that chooses on the way, all of them at the end."""
    if training.step == training.recipe.steps:
        return folders
    return dict(list(folders.items())[:1])


def freeze_norm(backbone: nn.Module) -> None:
    """Keep the statistics that batch norms came with."""
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _groups(network: PanopticDeepLab, recipe: Recipe) -> list[dict[str, object]]:
    """Backbone and rest at their rates; norms and biases without decay."""
    groups: dict[tuple[bool, bool], list[Tensor]] = {}
    for name, parameter in network.named_parameters():
        groups.setdefault((name.startswith("backbone."), parameter.ndim > 1), []).append(parameter)
    rate = recipe.learning_rate
    return [
        {
            "params": parameters,
            "lr": rate * (recipe.backbone_rate if backbone else 1.0),
            "weight_decay": recipe.weight_decay if decays else 0.0,
        }
        for (backbone, decays), parameters in groups.items()
    ]


def _poly(recipe: Recipe) -> Callable[[int], float]:
    def factor(step: int) -> float:
        left = max(0.0, 1 - step / recipe.steps)
        return float(min(1.0, (step + 1) / recipe.warm_up) * left**recipe.power)

    return factor


def _join_processes() -> tuple[int, int]:
    """Join the process group that torchrun describes; alone without it."""
    if "RANK" not in os.environ:
        return 0, 1
    if not dist.is_initialized():
        dist.init_process_group("gloo")  # the arithmetic is the processors'
    return dist.get_rank(), dist.get_world_size()


def _log(training: Training, losses: Losses, seconds: float) -> None:
    rate = training.schedule.get_last_lr()[-1]
    values = [f"{float(loss):.5f}" for loss in (losses.semantic, losses.center, losses.offset)]
    row = [training.step, f"{rate:.6f}", *values, f"{seconds:.3f}"]
    _append(training.out / CURVES, CURVE_COLUMNS, row)


def _append(path: Path, columns: tuple[str, ...], row: list[object]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(columns)
        writer.writerow(row)
