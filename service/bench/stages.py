"""Stages: what each step of a photograph's way costs, on one thread and in processor time, and how that grows.

Processor time is that of the calling thread (of the whole process for the engine, whose threads are its own), so that
other work on the machine disturbs it little.
"""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.bundle import HeadsSpec, Manifest, MergingSpec, Size, read_bundle
from model.declaration import category_specs, heads_spec, merging_spec
from model.fit import Sizes, choose_bucket, fit, fitted_size
from model.scene import draw_scene, photograph, variant_of
from service.app import open_predictor
from service.backends import Heads
from service.pipeline.encode import panoptic_png
from service.pipeline.images import read_photograph
from service.pipeline.panoptic import merge_heads
from service.settings import EMBEDDED_BUNDLE, Settings

T = TypeVar("T")

STAGES = ("decode", "prepare", "infer", "group", "encode")
MEGAPIXELS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 24.0)
INSTANCES = (0, 10, 30, 60, 100, 160, 220)
CLASSES = (19, 133)
USUAL: Size = (1024, 2048)
USUAL_INSTANCES, USUAL_CLASSES = 30, 19

_LIMIT = 200_000_000  # pixels
_SHOWN_INSTANCES = 4  # in a photograph of any size
_ROUNDS = 3  # at least
_MOST_ROUNDS = 15

Costs = dict[str, float]
"""Milliseconds of processor time by stage."""


@dataclass(frozen=True)
class Point:
    """One measured place of a curve."""

    size: Size
    instances: int
    classes: int
    costs: Costs  # without infer

    @property
    def megapixels(self) -> float:
        """Of the photograph."""
        return self.size[0] * self.size[1] / 1e6

    @property
    def total(self) -> float:
        """All stages."""
        return sum(self.costs.values())


def measure_bundle(settings: Settings, data: bytes | None, *, seconds: float) -> Costs:
    """Every stage of a bundle, on a photograph's bytes; None draws one of the first bucket's size.

    Raises:
        BundleError: the bundle cannot be trusted or run.
        ImageError: the bytes are no usable photograph.
    """
    bundle = read_bundle(settings.bundle)
    buckets = bundle.manifest.input.buckets
    if data is None:
        data = drawn_jpeg(buckets[0])
    predictor = open_predictor(bundle, settings)
    try:

        def run(costs: _Stopwatch) -> None:
            found = costs(
                "decode",
                lambda: read_photograph(
                    data,
                    max_pixels=settings.max_pixels,
                    needed=lambda size: fitted_size(size, choose_bucket(size, buckets)),
                ),
            )
            bucket = choose_bucket(found.size, buckets)
            pad = bundle.manifest.input.pad_value
            picture, sizes = costs(
                "prepare",
                lambda: fit(found.pixels, bucket, pad, photograph=found.size, box=found.box),
            )
            heads = costs("infer", lambda: predictor.backend.run(picture[None]), time.process_time)
            _after(costs, heads, sizes, bundle.manifest, bundle.manifest.merging)

        return _medians(run, seconds)
    finally:
        predictor.close()


def measure_around(size: Size, *, instances: int, classes: int, seconds: float) -> Point:
    """Every stage but the network's, where the network's input has the photograph's own size.

    The photograph and the heads are drawn; answers are 24-bit PNG.

    Args:
        seconds: of measuring, beyond the least number of rounds.
    Raises: ValueError: no label set has so many classes, or so many instances have no room.
    """
    cv2.setNumThreads(1)
    variant = variant_of(classes)
    manifest = _manifest(classes)
    drawn = draw_scene(
        size, isthing=[category.isthing for category in manifest.categories], instances=instances
    )
    heads = Heads(drawn.semantic, drawn.center, drawn.offset)
    data = _jpeg(photograph(drawn, [category.color for category in manifest.categories], size))
    merging = merging_spec(variant, "output")

    def run(costs: _Stopwatch) -> None:
        found = costs("decode", lambda: read_photograph(data, max_pixels=_LIMIT))
        _, sizes = costs("prepare", lambda: fit(found.pixels, size, manifest.input.pad_value))
        _after(costs, heads, sizes, manifest, merging)

    return Point(size, instances, classes, _medians(run, seconds))


def measure_curves(*, seconds: float, most_megapixels: float) -> dict[str, list[Point]]:
    """How the cost grows with pixels, instances and classes; each the others as usual."""
    return {
        "pixels": [
            measure_around(
                size_of(megapixels), instances=USUAL_INSTANCES, classes=USUAL_CLASSES, seconds=seconds
            )
            for megapixels in MEGAPIXELS
            if megapixels <= most_megapixels
        ],
        "instances": [
            measure_around(USUAL, instances=instances, classes=USUAL_CLASSES, seconds=seconds)
            for instances in INSTANCES
        ],
        "classes": [
            measure_around(USUAL, instances=USUAL_INSTANCES, classes=classes, seconds=seconds)
            for classes in CLASSES
        ],
    }


def growth(points: Sequence[Point]) -> float:
    """The power of the number of pixels that the whole cost grows with: 1 is linear; by least squares on logarithms."""
    x = np.log([point.megapixels for point in points])
    y = np.log([point.total for point in points])
    return float(np.polyfit(x, y, 1)[0])


def size_of(megapixels: float) -> Size:
    """A size of twice as many columns as rows, both multiples of 16."""
    rows = max(16, round(math.sqrt(megapixels * 1e6 / 2) / 16) * 16)
    return rows, 2 * rows


def drawn_jpeg(size: Size) -> bytes:
    """A drawn photograph's bytes, for networks that look at it or not.

    Raises: ValueError: it is too small to draw on, below about 64 pixels a side.
    """
    categories = category_specs(variant_of(USUAL_CLASSES))
    scene = draw_scene(size, isthing=[each.isthing for each in categories], instances=_SHOWN_INSTANCES)
    return _jpeg(photograph(scene, [each.color for each in categories], size))


class _Stopwatch:
    """Runs calls and keeps what each took, in ms."""

    def __init__(self) -> None:
        self.costs: Costs = {}

    def __call__(self, stage: str, call: Callable[[], T], clock: Callable[[], float] = time.thread_time) -> T:
        begun = clock()
        result = call()
        self.costs[stage] = (clock() - begun) * 1000
        return result


def _after(costs: _Stopwatch, heads: Heads, sizes: Sizes, manifest: Manifest, merging: MergingSpec) -> None:
    """What comes after the network."""
    panoptic = costs("group", lambda: merge_heads(heads, sizes, manifest, merging))
    costs("encode", lambda: panoptic_png(panoptic))


def _medians(run: Callable[[_Stopwatch], None], seconds: float) -> Costs:
    """Median of rounds by stage; the first is warm-up."""
    run(_Stopwatch())
    rounds: list[Mapping[str, float]] = []
    end = time.perf_counter() + seconds
    while len(rounds) < _ROUNDS or (time.perf_counter() < end and len(rounds) < _MOST_ROUNDS):
        watch = _Stopwatch()
        run(watch)
        rounds.append(watch.costs)
    return {
        stage: statistics.median(costs[stage] for costs in rounds) for stage in STAGES if stage in rounds[0]
    }


def _manifest(classes: int) -> Manifest:
    """The embedded bundle's, with the heads and classes of a variant: merging reads no more of it."""
    variant = variant_of(classes)
    heads: HeadsSpec = heads_spec(variant)
    embedded = read_bundle(EMBEDDED_BUNDLE).manifest
    return embedded.model_copy(update={"heads": heads, "categories": category_specs(variant)})


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()
