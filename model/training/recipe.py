"""What a recipe is made of: every number of a training, as data."""

from dataclasses import dataclass, replace
from typing import Literal

from model.training.augmentation import Augmentation
from model.training.layouts import Source
from model.training.losses import LossSpec
from model.training.scales import shrink_scale
from model.training.targets import TargetSpec
from model.variants import Variant, find_variant, with_pooling
from model.variants.specs import Size


@dataclass(frozen=True)
class Recipe:
    """One training."""

    name: str
    variant: str
    curriculum: str
    sources: tuple[Source, ...]
    validation: tuple[Source, ...]  # the first one chooses the best weights
    augmentation: Augmentation
    targets: TargetSpec
    losses: LossSpec
    licence: str  # of the weights it makes, in words
    training_data: str  # in words
    steps: int
    batch: int  # pictures a step, all processes together
    learning_rate: float
    start: str | None = None  # the backbone's ImageNet weights, in words; None: a package carries them
    optimizer: Literal["adam", "adamw"] = "adamw"
    backbone_rate: float = 1.0  # the backbone's share of the learning rate
    weight_decay: float = 0.0
    warm_up: int = 1000  # steps over which the rate climbs linearly; 1 for none
    power: float = 0.9  # of the poly schedule
    clip: float | None = 5.0  # largest gradient norm
    ema: float = 0.999  # decay of the averaged weights a step; 0 averages nothing
    norm_momentum: float = 0.1  # share of a step in the batch norms' running statistics
    sync_norm: bool = False  # batch norms see all processes' pictures, where these compute on GPUs
    freeze_backbone_norm: bool = False  # keep the ImageNet statistics
    validate_every: int = 1000  # steps
    seed: int = 1
    trial_input: Size | None = None  # of a recipe made smaller: the network's input


def make_smaller(
    recipe: Recipe, *, steps: int | None = None, batch: int | None = None, crop: Size | None = None
) -> Recipe:
    """The recipe with other steps and batch, and a smaller crop of photographs that are made as much smaller."""
    recipe = replace(recipe, steps=steps or recipe.steps, batch=batch or recipe.batch)
    if crop is None:
        return recipe
    ratio = min(new / old for new, old in zip(crop, recipe.augmentation.crop, strict=True))
    scale = shrink_scale(recipe.augmentation.scale, ratio)
    return replace(
        recipe, augmentation=replace(recipe.augmentation, crop=crop, scale=scale), trial_input=crop
    )


def training_variant(recipe: Recipe) -> Variant:
    """The recipe's variant; that of a trial has the trial's input, and pools over the whole of it."""
    variant = find_variant(recipe.variant)
    if recipe.trial_input is None:
        return variant
    rows, columns = recipe.trial_input
    variant = replace(variant, input=replace(variant.input, size=recipe.trial_input))
    if variant.pooling_kernel is None:
        return variant
    stride = variant.coarsest_stride
    return with_pooling(variant, (-(-rows // stride), -(-columns // stride)))
