"""A drawn scene: heads and a photograph of so many instances, for measurements that shall not depend on a network.

One scene looks alike at every size: areas of stuff, smooth and uneven, under ellipses of things that don't overlap.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.bundle import Color, Size
from model.variants import Variant, find_variant

Floats = NDArray[np.float32]

VARIANTS_BY_CLASSES = {17: "efficientnet-lite0", 19: "r52-dc5", 133: "r52-dc5-dsconv-coco"}
"""A variant of each label set: its stride, its classes and its merging are those of the drawn heads."""

_COARSE, _FINE = 6, 40  # waves across a scene's shorter side
_LEAST_CELLS = 8  # of the map, for an instance and the space around it
_EDGE = 1.6  # how far an instance's logits reach, in its radii squared


@dataclass(frozen=True)
class Scene:
    """What a network would say of one picture, at its stride."""

    semantic: Floats  # (1, C, h, w) logits
    center: Floats  # (1, 1, h, w)
    offset: Floats  # (1, 2, h, w), (dy, dx), in cells of this map


def variant_of(classes: int) -> Variant:
    """The variant whose heads are drawn for a number of classes.

    Raises: ValueError: no label set has so many.
    """
    if classes not in VARIANTS_BY_CLASSES:
        there = ", ".join(map(str, VARIANTS_BY_CLASSES))
        raise ValueError(f"no label set has {classes} classes; there are those of {there}")
    return find_variant(VARIANTS_BY_CLASSES[classes])


def draw_scene(
    size: Size, *, isthing: Sequence[bool], instances: int, stride: int = 4, seed: int = 0
) -> Scene:
    """Draw the heads of a picture.

    Args:
        size: of the picture, in pixels.
        isthing: for each class, whether its pixels are split into instances.
    Raises: ValueError: so many instances have no room on a map of this size.
    """
    rng = np.random.default_rng(seed)
    rows, columns = (-(-side // stride) for side in size)
    semantic = np.empty((len(isthing), rows, columns), np.float32)
    for index, thing in enumerate(isthing):
        semantic[index] = -4 if thing else _waves(rng, (rows, columns))
    top = semantic.max(axis=0)
    heat = np.zeros((rows, columns), np.float32)
    offset = rng.normal(0, 0.3, (2, rows, columns)).astype(np.float32)
    classes = np.flatnonzero(isthing)
    for place in _places(rng, (rows, columns), instances):
        window, y, x = place.window((rows, columns))
        distance = place.distance(y, x)
        near = distance < _EDGE
        logits = semantic[int(rng.choice(classes))][window]
        logits[near] = (top[window] + 4 * (1 - distance))[near]
        heat[window] = np.maximum(heat[window], rng.uniform(0.3, 1) * place.bump(y, x))
        offset[0][window][near] += (place.y - y + 0 * x)[near]
        offset[1][window][near] += (place.x - x + 0 * y)[near]
    return Scene(semantic[None], heat[None, None], offset[None])


def photograph(scene: Scene, colors: Sequence[Color], size: Size, *, seed: int = 0) -> NDArray[np.uint8]:
    """The picture that the scene may have been seen on, with a camera's grain: (H, W, 3) RGB."""
    painted = np.array(colors, np.uint8)[scene.semantic[0].argmax(axis=0)]
    smooth = np.asarray(Image.fromarray(painted).resize(size[::-1], Image.Resampling.BILINEAR), np.float32)
    grain = np.random.default_rng(seed).normal(0, 4, size).astype(np.float32)
    return (smooth + grain[:, :, None]).clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class _Place:
    """An ellipse, in cells."""

    y: float
    x: float
    half_rows: float
    half_columns: float

    def window(self, size: Size) -> tuple[tuple[slice, slice], Floats, Floats]:
        """The part of a map that it may touch, and its coordinates: (h, 1) and (1, w)."""
        reach = math.sqrt(_EDGE)
        spans = [
            slice(max(0, int(middle - reach * half)), min(limit, int(middle + reach * half) + 2))
            for middle, half, limit in zip(
                (self.y, self.x), (self.half_rows, self.half_columns), size, strict=True
            )
        ]
        y, x = (np.arange(span.start, span.stop, dtype=np.float32) for span in spans)
        return (spans[0], spans[1]), y[:, None], x[None]

    def distance(self, y: Floats, x: Floats) -> Floats:
        """1 on its edge, 0 in its middle."""
        return ((y - self.y) / self.half_rows) ** 2 + ((x - self.x) / self.half_columns) ** 2

    def bump(self, y: Floats, x: Floats) -> Floats:
        """The heat around its center."""
        return np.exp(-((y - self.y) ** 2 + (x - self.x) ** 2) / 8)


def _places(rng: np.random.Generator, size: Size, instances: int) -> list[_Place]:
    """Ellipses in fields of a grid, each in its own."""
    if instances == 0:
        return []
    rows, columns = size
    across = max(1, math.ceil(math.sqrt(instances * columns / rows)))
    down = math.ceil(instances / across)
    height, width = rows / down, columns / across
    if min(height, width) < _LEAST_CELLS:
        raise ValueError(f"{instances} instances have no room on a map of {rows}x{columns}; draw fewer")
    fields = rng.permutation(down * across)[:instances]
    return [
        _Place(
            (field // across + rng.uniform(0.45, 0.55)) * height,
            (field % across + rng.uniform(0.45, 0.55)) * width,
            height * rng.uniform(0.15, 0.35),
            width * rng.uniform(0.15, 0.35),
        )
        for field in map(int, fields)
    ]


def _waves(rng: np.random.Generator, size: Size) -> Floats:
    """A smooth random field with a little unevenness."""
    return 1.5 * _field(rng, size, _COARSE) + 0.2 * _field(rng, size, _FINE)


def _field(rng: np.random.Generator, size: Size, waves: int) -> Floats:
    step = max(1, min(size) // waves)
    coarse = rng.standard_normal((size[0] // step + 2, size[1] // step + 2)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC), np.float32)
