"""From one picture's heads to its panoptic ids and segments, at the photograph's size.

Plain numpy, equal to `model.tail.finish`, the reference in torch. `merge_heads` is the seam: faster kernels replace
it whole and are tested against it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.bundle import CategorySpec, Manifest, MergingSpec
from model.fit import Sizes
from service.backends import Floats, Heads
from service.pipeline.enlarge import Enlargement
from service.pipeline.grouping import Indices, find_centers, nearest_center
from service.pipeline.segments import Measures, Segment, measure

Codes = NDArray[np.uint16]


@dataclass(frozen=True)
class Panoptic:
    """The answer to one photograph."""

    ids: NDArray[np.int32]  # (H, W), 0 is void
    segments: tuple[Segment, ...]  # one an id, in order of id


@dataclass(frozen=True)
class _Map:
    """Every pixel's code: its class, or the number of classes plus its center's number."""

    codes: Codes  # (H, W)
    votes: NDArray[np.int64]  # (K, C): pixels of each class that each center got


@dataclass(frozen=True)
class _Name:
    """What a code means; label is class index times divisor, plus the running number of a thing."""

    code: int
    label: int
    category: CategorySpec
    index: int


def merge_heads(
    heads: Heads, sizes: Sizes, manifest: Manifest, merging: MergingSpec, *, min_score: float = 0.0
) -> Panoptic:
    """Merge the heads of one picture.

    A segment's id is its label plus one, so that void alone is 0. Its score is the mean probability of its class
    over its pixels, each read at the nearest cell of the network's stride; a thing's is multiplied by the heat of
    its center, clamped to 0 to 1. Segments that score below `min_score` are void.

    Args:
        heads: N = 1.
    """
    _, classes, rows, columns = heads.semantic.shape
    way = Enlargement((rows, columns), sizes, manifest.heads)
    heat = way.to_input(heads.center[0]) if merging.grid == "input" else way.to_output(heads.center[0])
    centers = find_centers(
        heat[0], threshold=merging.threshold, nms_kernel=merging.nms_kernel, top_k=merging.top_k
    )
    found = _assign(heads, way, manifest.categories, centers, merging)
    measures = measure(found.codes, classes + len(centers))
    names = _name(found.votes, measures.areas, manifest.categories, merging, _stuff_area(merging, sizes))
    scores = _scores(heads.semantic[0], found.codes, names, measures, way)
    heats = {classes + number: float(heat[0, y, x]) for number, (y, x) in enumerate(centers)}
    places = {classes + number: _place(center, sizes, merging) for number, center in enumerate(centers)}
    segments = {}
    for name in names:
        score = scores[name.code] * min(max(heats.get(name.code, 1.0), 0.0), 1.0)
        if score >= min_score:
            segments[name.code] = _segment(name, score, measures, places.get(name.code))
    ids = np.zeros(classes + len(centers), np.int32)
    for code, segment in segments.items():
        ids[code] = segment.id
    return Panoptic(ids[found.codes], tuple(sorted(segments.values(), key=lambda segment: segment.id)))


def _assign(
    heads: Heads,
    way: Enlargement,
    categories: tuple[CategorySpec, ...],
    centers: Indices,
    merging: MergingSpec,
) -> _Map:
    """Give every pixel its class, and every pixel of a thing its center."""
    classes = len(categories)
    isthing = np.array([category.isthing for category in categories])
    codes: Codes = np.empty(way.sizes.output, np.uint16)
    votes = np.zeros((len(centers), classes), np.int64)
    offset = heads.offset[0] * np.float32(way.offset_scale)
    for start, stop, logits in way.bands(heads.semantic[0]):
        codes[start:stop] = _argmax(logits)
    if len(centers) == 0:
        return _Map(codes, votes)
    for start, stop, vectors in way.bands(offset):
        band = codes[start:stop]
        y, x = np.nonzero(isthing[band])
        places = _positions(y + start, x, way.sizes, merging)
        numbers = nearest_center(centers, places + vectors[:, y, x])
        votes += np.bincount(numbers * np.intp(classes) + band[y, x], minlength=votes.size).reshape(
            votes.shape
        )
        band[y, x] = numbers + np.uint16(classes)
    return _Map(codes, votes)


def _argmax(logits: Floats) -> Codes:
    """(C, H, W) to (H, W); the first class wins a tie. Several times as fast as numpy's over the first axis."""
    best = logits[0].copy()
    classes: Codes = np.zeros(best.shape, np.uint16)
    for index in range(1, len(logits)):
        np.copyto(classes, np.uint16(index), where=logits[index] > best)
        np.maximum(best, logits[index], out=best)
    return classes


def _positions(y: Indices, x: Indices, sizes: Sizes, merging: MergingSpec) -> Floats:
    """Where pixels of the photograph lie on the merging's grid: (2, P), (y, x)."""
    places = np.stack([y, x]).astype(np.float32)
    if merging.grid == "output":
        return places
    half = np.float32(0.5)
    scale = [fitted / output for fitted, output in zip(sizes.fitted, sizes.output, strict=True)]
    return (places + half) * np.array(scale, np.float32)[:, None] - half


def _place(center: Indices, sizes: Sizes, merging: MergingSpec) -> tuple[float, float]:
    """A center's (x, y) in the photograph."""
    y, x = float(center[0]), float(center[1])
    if merging.grid == "output":
        return x, y
    rows, columns = (output / fitted for fitted, output in zip(sizes.fitted, sizes.output, strict=True))
    return (x + 0.5) * columns - 0.5, (y + 0.5) * rows - 0.5


def _stuff_area(merging: MergingSpec, sizes: Sizes) -> float:
    """The least area of a stuff segment, in pixels of the photograph."""
    if merging.grid == "output":
        return merging.stuff_area
    return merging.stuff_area * sizes.output[0] * sizes.output[1] / (sizes.fitted[0] * sizes.fitted[1])


def _name(
    votes: NDArray[np.int64],
    areas: NDArray[np.int64],
    categories: tuple[CategorySpec, ...],
    merging: MergingSpec,
    stuff_area: float,
) -> list[_Name]:
    """Name every object by the majority of its pixels' classes, and the stuff around by its class."""
    names = []
    counts = [0] * len(categories)
    for number, row in enumerate(votes):
        if not row.any():
            continue
        index = int(row.argmax())
        counts[index] += 1
        label = index * merging.label_divisor + counts[index]
        names.append(_Name(len(categories) + number, label, categories[index], index))
    for index, category in enumerate(categories):
        if category.isthing or category.isvoid or areas[index] == 0 or areas[index] < stuff_area:
            continue
        names.append(_Name(index, index * merging.label_divisor, category, index))
    return names


def _segment(name: _Name, score: float, measures: Measures, place: tuple[float, float] | None) -> Segment:
    x, y, width, height = measures.boxes[name.code].tolist()
    middle = measures.middles[name.code]
    return Segment(
        id=name.label + 1,
        category_id=name.category.id,
        class_index=name.index,
        label=name.category.name,
        isthing=name.category.isthing,
        score=score,
        area=int(measures.areas[name.code]),
        bbox=(x, y, width, height),
        center=place or (float(middle[0]), float(middle[1])),
    )


def _scores(
    semantic: Floats, codes: Codes, names: list[_Name], measures: Measures, way: Enlargement
) -> dict[int, float]:
    """Mean probability of every segment's class over its pixels: {code: probability}.

    One pixel a cell is read, that at the cell's middle; segments that lie between all middles are read whole.
    """
    probabilities = _softmax(semantic)
    count = len(measures.areas)
    classes = np.zeros(count, np.intp)
    classes[[name.code for name in names]] = [name.index for name in names]
    down, across = (_cells_of_pixels(way, axis) for axis in (0, 1))
    rows, columns = (np.unique(cells, return_index=True)[1] + _half_run(cells) for cells in (down, across))
    sample = codes[np.ix_(rows, columns)]
    found = probabilities[classes[sample], down[rows][:, None], across[columns][None]].ravel()
    sums = np.bincount(sample.ravel(), weights=found, minlength=count)
    hits = np.bincount(sample.ravel(), minlength=count)
    scores = {}
    for name in names:
        if hits[name.code]:
            scores[name.code] = float(sums[name.code] / hits[name.code])
            continue
        x, y, width, height = measures.boxes[name.code].tolist()
        inner_y, inner_x = np.nonzero(codes[y : y + height, x : x + width] == name.code)
        scores[name.code] = float(probabilities[name.index, down[inner_y + y], across[inner_x + x]].mean())
    return scores


def _softmax(logits: Floats) -> Floats:
    """Over the first axis."""
    exponentials = np.exp(logits - logits.max(axis=0))
    return np.asarray(exponentials / exponentials.sum(axis=0), np.float32)


def _cells_of_pixels(way: Enlargement, axis: int) -> Indices:
    """The nearest cell of the network's stride of every row (axis 0) or column (1) of the photograph."""
    cells, sizes = way.cells[axis], way.sizes
    places = (np.arange(sizes.output[axis]) + 0.5) * sizes.fitted[axis] / sizes.output[axis]
    if way.spec.align_corners:
        nearest = np.rint((places - 0.5) * (cells - 1) / max(sizes.input[axis] - 1, 1))
    else:
        nearest = np.floor(places / way.spec.stride)
    return np.clip(nearest, 0, cells - 1).astype(np.intp)


def _half_run(cells: Indices) -> Indices:
    """Half the length of every run of equal numbers in an ascending list."""
    return np.asarray(np.unique(cells, return_counts=True)[1] // 2, np.intp)
