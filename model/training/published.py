"""The published recipes: Detectron2's for Cityscapes and COCO, the original repository's for Cityscapes.

Source: the configurations of Detectron2's project, of its authors' further backbones, and of the original repository.
"""

from typing import Literal

from model.training.augmentation import Augmentation
from model.training.layouts import Source, cityscapes, coco
from model.training.losses import LossSpec
from model.training.recipe import Recipe
from model.training.scales import Factor, ShortestEdge
from model.training.targets import TargetSpec
from model.variants import find_variant
from model.variants.specs import Size

DataSet = Literal["cityscapes", "coco"]

SOURCES: dict[DataSet, Source] = {
    "cityscapes": Source(".", "cityscapes", layout=cityscapes("train")),
    "coco": Source(".", "coco", layout=coco("train2017")),
}
VALIDATION: dict[
    DataSet, Source
] = {  # enough to choose weights by; `most` keeps the others from waiting for hours
    "cityscapes": Source(".", "cityscapes", layout=cityscapes("val"), most=100),
    "coco": Source(".", "coco", layout=coco("val2017"), most=100),
}
LICENCES: dict[DataSet, str] = {
    "cityscapes": "non-commercial use, as Cityscapes, of which the weights are made, allows it",
    "coco": "annotations CC BY 4.0, photographs under the terms of those who put them on Flickr, as COCO says",
}
TRAINING_DATA: dict[DataSet, str] = {
    "cityscapes": "Cityscapes' 2975 finely annotated training photographs",
    "coco": "COCO 2017's 118287 training photographs with panoptic annotations",
}
CROPS: dict[DataSet, Size] = {"cityscapes": (512, 1024), "coco": (640, 640)}
CITYSCAPES_EDGES = (
    512, 640, 704, 832, 896, 1024, 1152, 1216, 1344, 1408, 1536, 1664, 1728, 1856, 1920, 2048,
)  # fmt: skip
SCALES: dict[DataSet, ShortestEdge] = {
    "cityscapes": ShortestEdge(CITYSCAPES_EDGES, longest=4096),
    "coco": ShortestEdge(tuple(range(320, 961, 64)), longest=960),
}
OLDER_COCO_SCALE = ShortestEdge(tuple(range(320, 961, 64)), longest=640)
SIGMAS: dict[DataSet, float] = {"cityscapes": 10.0, "coco": 8.0}
HARD_PIXELS: dict[DataSet, float] = {"cityscapes": 0.2, "coco": 1.0}
STEPS: dict[DataSet, int] = {"cityscapes": 90_000, "coco": 200_000}
BATCHES: dict[DataSet, int] = {"cityscapes": 32, "coco": 64}
RATES: dict[DataSet, float] = {"cityscapes": 1e-3, "coco": 5e-4}

R50 = "torchvision's ResNet-50"
R52 = "R-52.pkl of Detectron2's DeepLab project"
XCEPTION65 = "tf-xception65-270e81cf.pth of SegmenTron"
HRNET48 = "HRNet-W48-C of HRNet-Image-Classification"


def _recipe(
    variant: str,
    data_set: DataSet,
    start: str,
    *,
    scale: ShortestEdge | Factor,
    crop: Size,
    targets: TargetSpec,
    hard_pixels: float,
    steps: int,
    batch: int,
    rate: float,
    warm_up: int,
    norm_momentum: float = 0.1,
) -> Recipe:
    """What all of them share: Adam without decay or clipping, no average, and no change of a picture but its size."""
    pad = find_variant(variant).input.pad_value
    return Recipe(
        name=f"{data_set}-{variant.removesuffix('-coco')}",
        variant=variant,
        curriculum=data_set,
        sources=(SOURCES[data_set],),
        validation=(VALIDATION[data_set],),
        augmentation=Augmentation(crop, scale, pad=pad),
        targets=targets,
        losses=LossSpec(hard_pixels=hard_pixels),
        licence=LICENCES[data_set],
        training_data=TRAINING_DATA[data_set],
        steps=steps,
        batch=batch,
        learning_rate=rate,
        start=start,
        optimizer="adam",
        warm_up=warm_up,
        clip=None,
        ema=0.0,
        norm_momentum=norm_momentum,
        sync_norm=True,
        validate_every=10_000,
    )


def _detectron2(
    variant: str, start: str, data_set: DataSet = "cityscapes", scale: ShortestEdge | None = None
) -> Recipe:
    return _recipe(
        variant,
        data_set,
        start,
        scale=scale or SCALES[data_set],
        crop=CROPS[data_set],
        targets=TargetSpec(SIGMAS[data_set], small_area=4096, small_weight=3.0),
        hard_pixels=HARD_PIXELS[data_set],
        steps=STEPS[data_set],
        batch=BATCHES[data_set],
        rate=RATES[data_set],
        warm_up=1000,
    )


def _original(
    variant: str, start: str, *, rate: float = 5e-5, batch: int = 8, norm_momentum: float = 0.01
) -> Recipe:
    return _recipe(
        variant,
        "cityscapes",
        start,
        scale=Factor(0.5, 2.0, 0.1),
        crop=(1025, 2049),
        targets=TargetSpec(8.0, small_area=4096, small_weight=3.0, centroid="truncated"),
        hard_pixels=0.2,
        steps=90_000,
        batch=batch,
        rate=rate,
        warm_up=1,
        norm_momentum=norm_momentum,
    )


ROWS: tuple[Recipe, ...] = (
    _detectron2("r50-dc5", R50),  # figures are published, a configuration is not: that of r52-dc5 is taken
    _detectron2("r52-dc5", R52),
    _detectron2("r52-dc5-dsconv", R52),
    _detectron2("xception65-dc5", XCEPTION65),
    _detectron2("xception65-dc5-dsconv", XCEPTION65),
    _detectron2("hrnet48", HRNET48),
    _detectron2("hrnet48-dsconv", HRNET48),
    _detectron2("r52-dc5-dsconv-coco", R52, "coco"),
    _detectron2("xception65-dc5-dsconv-coco", XCEPTION65, "coco", OLDER_COCO_SCALE),
    _detectron2("hrnet48-dsconv-coco", HRNET48, "coco", OLDER_COCO_SCALE),
    _original("r50-os32", R50),
    _original("r101-os32", "torchvision's ResNet-101"),
    _original("resnext101-os32", "torchvision's ResNeXt-101-32x8d"),
    _original("xception65-os32", XCEPTION65, rate=5e-4, norm_momentum=0.001),
    _original("mobilenet-v2-os32", "torchvision's MobileNetV2", rate=1e-4, batch=16),
    _original("hrnet48-os4", HRNET48),
)
