"""The optimizer and the schedule that a recipe names."""

from collections.abc import Callable

from torch import Tensor
from torch.optim import Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from model.network.panoptic_deeplab import PanopticDeepLab
from model.training.recipe import Recipe

OPTIMIZERS: dict[str, type[Adam]] = {"adam": Adam, "adamw": AdamW}


def make_optimizer(network: PanopticDeepLab, recipe: Recipe) -> Optimizer:
    """Backbone and rest at their rates; norms and biases without decay."""
    groups: dict[tuple[bool, bool], list[Tensor]] = {}
    for name, parameter in network.named_parameters():
        groups.setdefault((name.startswith("backbone."), parameter.ndim > 1), []).append(parameter)
    rate = recipe.learning_rate
    return OPTIMIZERS[recipe.optimizer](
        [
            {
                "params": parameters,
                "lr": rate * (recipe.backbone_rate if backbone else 1.0),
                "weight_decay": recipe.weight_decay if decays else 0.0,
            }
            for (backbone, decays), parameters in groups.items()
        ]
    )


def make_schedule(optimizer: Optimizer, recipe: Recipe) -> LambdaLR:
    """A linear warm-up times a poly decay to zero."""
    return LambdaLR(optimizer, poly(recipe))


def poly(recipe: Recipe) -> Callable[[int], float]:
    """The rate's factor at a step.

    The warm-up's first factor is 1 / warm_up: with 1000 steps Detectron2's 0.001, from which it differs by at most a
    thousandth of the rate on the way.
    """

    def factor(step: int) -> float:
        left = max(0.0, 1 - step / recipe.steps)
        return float(min(1.0, (step + 1) / recipe.warm_up) * left**recipe.power)

    return factor
