"""The training loop: one process, or several by torchrun."""

import csv
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from model.checkpoints.weights import write_weights
from model.curriculum import Curriculum, load_curriculum
from model.network.panoptic_deeplab import Heads, PanopticDeepLab, normalize, upsample
from model.training.datasets import PanopticFolder, open_source
from model.training.device import ON_CPU, Compute, distribute
from model.training.losses import Losses, panoptic_losses
from model.training.optimizer import make_optimizer, make_schedule
from model.training.recipe import Recipe, training_variant
from model.training.start import start_network
from model.training.stream import Batch, BatchStream, batches
from model.training.validation import Figures, validate

CHECKPOINT = "last.pt"
BEST = "best.safetensors"
FINAL = "final.safetensors"
CURVES = "curves.csv"
VALIDATION = "validation.csv"
CURVE_COLUMNS = ("step", "rate", "semantic", "center", "offset", "seconds")
VALIDATION_COLUMNS = ("step", "data", "iou", "pq", "sq", "rq")


class Training:
    """A run: the network, its averaged twin, the optimizer and how far it is."""

    def __init__(self, recipe: Recipe, out: Path, compute: Compute = ON_CPU, start: str | None = None):
        """Begin a run, from `start` as `start_network` takes it, or go on where the checkpoint in `out` left it."""
        self.recipe, self.out, self.compute = recipe, out, compute
        self.variant = training_variant(recipe)
        torch.manual_seed(recipe.seed)
        self.network = PanopticDeepLab(self.variant)
        going_on = (out / CHECKPOINT).is_file()
        self.start = "" if going_on else start_network(self.network, recipe, start)
        set_norm_momentum(self.network, recipe.norm_momentum)
        self.network.to(compute.device).to(memory_format=torch.channels_last)
        self.optimizer = make_optimizer(self.network, recipe)
        self.schedule = make_schedule(self.optimizer, recipe)
        average = get_ema_multi_avg_fn(recipe.ema)
        self.average = AveragedModel(self.network, multi_avg_fn=average, use_buffers=True)
        self.step = 0
        self.best = -1.0
        if going_on:
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
            "start": self.start,
        }
        torch.save(state, part)
        part.replace(self.out / CHECKPOINT)

    def write_weights(self, name: str) -> None:
        """Write the averaged weights with what there is to say of them."""
        metadata = {
            "variant": self.variant.name,
            "recipe": self.recipe.name,
            "licence": self.recipe.licence,
            "training_data": "; ".join(filter(None, (self.recipe.training_data, self.start))),
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
        self.start = str(state.get("start", ""))  # runs begun earlier did not say


def train(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
    compute: Compute = ON_CPU,
    start: str | None = None,
    stop: int | None = None,
    workers: int = 1,
    save_every: int = 200,
    after_validation: Callable[[Training], None] = lambda training: None,
) -> Training:
    """Run a recipe on the data under `data`, with logs, checkpoints and best weights in `out`.

    Args:
        start:            what a new run begins from, as `start_network` takes it.
        stop:             end after this step, before the recipe's end; the schedule stays the recipe's.
        after_validation: called when figures and curves have been written.
    """
    out.mkdir(parents=True, exist_ok=True)
    rank = compute.rank
    curriculum = load_curriculum(recipe.curriculum)
    stream = BatchStream(recipe, data, curriculum, rank, compute.world)
    folders = {s.name: open_source(s, data, curriculum) for s in recipe.validation}
    training = Training(recipe, out, compute, start)
    last = min(stop or recipe.steps, recipe.steps)
    network = distribute(training.network, compute, sync_norm=recipe.sync_norm)
    bar = tqdm(total=recipe.steps, initial=training.step, disable=rank > 0, unit="step", mininterval=5)
    started = time.perf_counter()
    for batch in batches(stream, training.step, last, workers, pin=compute.on_gpu):
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
    recipe, variant, compute = training.recipe, training.variant, training.compute
    torch.manual_seed(
        recipe.seed + training.step
    )  # of dropout: a resumed run drops what the killed one would have
    network.train()
    if recipe.freeze_backbone_norm:
        freeze_norm(training.network.backbone)
    batch = batch.to(compute.device)
    images = normalize(batch.images, variant.input).contiguous(memory_format=torch.channels_last)
    rows, columns = images.shape[2:]
    with compute.autocast():
        outputs = network(images)
    # Where no union rewrites them, torch cannot take the losses' gradients back through channels last.
    heads = Heads(*(head.float().contiguous() for head in outputs))
    full = upsample(heads, variant, (rows, columns))
    losses = panoptic_losses(full, batch.targets, curriculum.unions, recipe.losses)
    training.optimizer.zero_grad(set_to_none=True)
    losses.total.backward()
    if recipe.clip is not None:
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


def set_norm_momentum(network: nn.Module, momentum: float) -> None:
    """Set the share of a step in the running statistics of all batch norms."""
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.momentum = momentum


def freeze_norm(backbone: nn.Module) -> None:
    """Keep the statistics that batch norms came with."""
    for module in backbone.modules():
        if isinstance(module, _BatchNorm):
            module.eval()


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
