"""The endless stream of training batches: which pictures a step sees is a function of seed and step alone.

So a resumed run sees what the killed one would have seen, and several processes see together what one would have.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from model.curriculum import Curriculum
from model.training.augmentation import augment, mix_classes, paste_things
from model.training.datasets import Sample, open_source
from model.training.recipe import Recipe
from model.training.targets import Targets, make_targets, stack


@dataclass(frozen=True)
class Batch:
    """One process's part of a step."""

    images: Tensor  # (N, H, W, 3) uint8 RGB
    targets: Targets

    def to(self, device: torch.device) -> "Batch":
        """The batch on a device; from pinned memory the copy goes on beside other work."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> "Batch":
        """The batch in pages that a GPU copies from by itself; called by the loader."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        targets = Targets(**{name: change(tensor) for name, tensor in vars(self.targets).items()})
        return Batch(change(self.images), targets)


class BatchStream(Dataset[Batch]):
    """Batches by step."""

    def __init__(self, recipe: Recipe, data: Path, curriculum: Curriculum, rank: int = 0, world: int = 1):
        """Open the recipe's sources under `data`.

        Raises: ValueError: a source is missing, or the batch does not divide by the processes.
        """
        if recipe.batch % world:
            raise ValueError(f"a batch of {recipe.batch} cannot be shared by {world} processes")
        self.recipe = recipe
        self.folders = [open_source(source, data, curriculum) for source in recipe.sources]
        self.weights = torch.tensor([s.weight for s in recipe.sources])
        self.things = curriculum.things()
        self.rank = rank
        self.share = recipe.batch // world

    def __len__(self) -> int:
        return self.recipe.steps

    def __getitem__(self, step: int) -> Batch:
        first = step * self.recipe.batch + self.rank * self.share
        crops = [self._crop(index) for index in range(first, first + self.share)]
        return Batch(
            images=torch.stack([crop.image for crop in crops]).permute(0, 2, 3, 1),
            targets=stack([make_targets(crop, self.recipe.targets) for crop in crops]),
        )

    def _crop(self, index: int) -> Sample:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.recipe.seed * 1_000_003 + index)
            crop = self._draw()
            if torch.rand(()) < self.recipe.augmentation.paste:
                crop = paste_things(crop, self._draw(), self.things)
            if torch.rand(()) < self.recipe.augmentation.mix:
                crop = mix_classes(crop, self._draw())
        return crop

    def _draw(self) -> Sample:
        folder = self.folders[int(torch.multinomial(self.weights, 1))]
        return augment(folder[int(torch.randint(len(folder), ()))], self.recipe.augmentation)


def batches(
    stream: BatchStream, start: int, stop: int, workers: int, *, pin: bool = False
) -> Iterator[Batch]:
    """Iterate over the steps start .. stop - 1, prepared ahead by `workers` processes (0: by this one).

    Args:
        pin: put batches into pinned memory, for a GPU.
    """
    yield from DataLoader(
        stream,
        batch_size=None,
        sampler=range(start, stop),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        pin_memory=pin,
    )
