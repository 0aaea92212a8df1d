"""The recipes by name: that of the embedded model, and the published ones."""

from model.training import published
from model.training.augmentation import Augmentation
from model.training.layouts import Source
from model.training.losses import LossSpec
from model.training.recipe import Recipe
from model.training.scales import WithinRectangle
from model.training.targets import TargetSpec

STREET = Recipe(
    name="street",
    variant="efficientnet-lite0",
    curriculum="street",
    sources=(
        Source("coco_nc/train", "coco", 0.45),
        Source("coco_open/train", "coco", 0.15),
        Source("labelmefacade/train", "labelmefacade", 0.2),
        Source("camvid/train", "camvid", 0.2),
    ),
    validation=(
        Source("coco_nc/val", "coco"),
        Source("labelmefacade/val", "labelmefacade"),
        Source("camvid/val", "camvid"),
    ),
    augmentation=Augmentation(
        crop=(256, 352), scale=WithinRectangle((384, 512), 0.45, 1.8), colour=0.5, paste=0.25, mix=0.5
    ),
    targets=TargetSpec(sigma=6.0, small_area=1024, small_weight=2.0),
    losses=LossSpec(hard_pixels=0.3, center=100.0, offset=0.03),
    licence="research and non-commercial use, as CamVid and LabelMeFacade, of which the weights are made, allow it",
    training_data="100 photographs of COCO 2017 with panoptic labels, CamVid's 367 training frames, "
    "850 photographs of LabelMeFacade; the backbone started from ImageNet weights (EfficientNet-Lite0, Apache-2.0)",
    steps=8000,
    batch=4,
    learning_rate=1.0e-3,
    backbone_rate=0.3,
    weight_decay=0.05,
    warm_up=200,
    ema=0.998,
    freeze_backbone_norm=True,
    validate_every=1000,
)

RECIPES = {recipe.name: recipe for recipe in (STREET, *published.ROWS)}


def find_recipe(name: str) -> Recipe:
    """Look a recipe up by name.

    Raises: ValueError: there is no such recipe; the message lists those there are.
    """
    if name not in RECIPES:
        raise ValueError(f"there is no recipe {name!r}; there are {', '.join(sorted(RECIPES))}")
    return RECIPES[name]
