"""From one picture's heads to its panoptic ids and segments, at the photograph's size.

Equal to `model.tail.finish`, the reference in torch, pixel for pixel; docs/merging.md says by what right it does less.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.bundle import CategorySpec, HeadsSpec, Manifest, MergingSpec
from model.fit import Sizes
from model.reading import nearest_cells
from service.backends import Floats, Heads
from service.pipeline.kernels.axis import Axis, Grid, Numbers, axes
from service.pipeline.kernels.classes import rank
from service.pipeline.kernels.codes import AREA, Codes, Labels, rename
from service.pipeline.kernels.compiler import plain
from service.pipeline.kernels.merge import merge
from service.pipeline.kernels.nearest import lay_tiles
from service.pipeline.kernels.peaks import find_peaks
from service.pipeline.kernels.scores import NO_CLASS, Reading, lay_reading, score
from service.pipeline.kernels.squares import Squares, lay_squares
from service.pipeline.segments import Point, Segment, measured
from service.pipeline.soundness import not_finite

_SIZES = 32  # of photographs, whose axes are kept

Ids = NDArray[np.int32]


@dataclass(frozen=True)
class Panoptic:
    """The answer to one photograph.

    Pixels hold codes, numbers as the merging counted them: half as large as ids, of which an answer in PNG needs none.
    """

    codes: Labels  # (H, W)
    code_ids: Ids  # (S,) id of each code, 0 is void
    segments: tuple[Segment, ...]  # one an id, in order of id

    @cached_property
    def ids(self) -> Ids:
        """(H, W), 0 is void."""
        ids = np.empty(self.codes.shape, np.int32)
        rename(self.codes, self.code_ids, ids)
        return ids


@dataclass(frozen=True)
class _Layout:
    """How cells lie in a photograph."""

    rows: Axis
    columns: Axis
    squares: Squares
    reading: Reading


@dataclass(frozen=True)
class Centers:
    """K centers in row-major order, in the merging's coordinates."""

    y: Numbers
    x: Numbers
    heat: Floats


class _Name(NamedTuple):
    """What a code means; label is class index times divisor, plus the running number of a thing."""

    code: int
    label: int
    category: CategorySpec
    class_index: int


def merge_heads(
    heads: Heads, sizes: Sizes, manifest: Manifest, merging: MergingSpec, *, min_score: float = 0.0
) -> Panoptic:
    """Merge the heads of one picture.

    A segment's id is its label plus one, so that void alone is 0. Its score is the mean probability of its class
    over its pixels, each read at the nearest cell of the network's stride; a thing's is multiplied by the heat of
    its center, clamped to 0 to 1. Segments that score below `min_score` are void.

    Args:
        heads: N = 1.

    Raises: HeadsNotFinite: naming the head, and how many of its values are no numbers.
    """
    semantic, heat, offset = (plain(head[0]) for head in (heads.semantic, heads.center, heads.offset))
    ranking = rank(semantic, heat[0], offset)
    if not ranking.sound:
        raise not_finite(heads)
    cells = (semantic.shape[1], semantic.shape[2])
    layout = _lay_out(cells, sizes, manifest.heads, merging.grid)
    centers = find_centers(heat[0], sizes, manifest.heads, merging)
    grid = sizes.fitted if merging.grid == "input" else sizes.output
    found = merge(
        semantic,
        offset,
        ranking,
        layout.rows,
        layout.columns,
        layout.squares,
        np.array([category.isthing for category in manifest.categories]),
        lay_tiles(centers.y.astype(np.float32), centers.x.astype(np.float32), *grid),
        _offset_scale(cells[0], sizes, manifest.heads),
    )
    return settle(
        found,
        centers,
        lambda classes: score(semantic, ranking, found.codes, found.counts, classes, layout.reading),
        sizes,
        manifest,
        merging,
        min_score=min_score,
    )


def settle(
    found: Codes,
    centers: Centers,
    chances_of: Callable[[Numbers], NDArray[np.float64]],
    sizes: Sizes,
    manifest: Manifest,
    merging: MergingSpec,
    *,
    min_score: float,
) -> Panoptic:
    """Name and score the codes, which leaves the answer.

    Args:
        chances_of: from the class of every code, NO_CLASS where it has no segment, to that class's mean probability.
    """
    areas = found.counts[:, AREA]
    names = _name(found.votes, areas, manifest.categories, merging, _stuff_area(merging, sizes))
    chances = chances_of(_classes(names, len(areas)))
    places = _places(centers, sizes, merging)
    segments = _segments(names, chances, found.counts, places, centers.heat, min_score)
    return Panoptic(
        found.codes,
        _code_ids(len(areas), segments),
        tuple(sorted(segments.values(), key=lambda segment: segment.id)),
    )


def panoptic_of(ids: Ids, segments: Sequence[Segment]) -> Panoptic:
    """A panoptic picture that stands in ids already.

    Args:
        segments: one for every id but 0.
    """
    present, codes = np.unique(ids, return_inverse=True)
    ordered = sorted(segments, key=lambda segment: segment.id)
    return Panoptic(codes.reshape(ids.shape).astype(np.uint16), present.astype(np.int32), tuple(ordered))


def find_centers(heat: Floats, sizes: Sizes, spec: HeadsSpec, merging: MergingSpec) -> Centers:
    """Find the peaks of the heat map on the merging's grid.

    A peak is above the threshold, above zero, and equals the maximum of its window. Where at least top_k are found,
    only those strictly above the top_k-th value stay.

    Args:
        heat: (h, w).
    """
    on_grid = sizes if merging.grid == "output" else Sizes(sizes.input, sizes.fitted, sizes.fitted)
    layout = _lay_out((heat.shape[0], heat.shape[1]), on_grid, spec, merging.grid)
    reach = merging.nms_kernel // 2
    y, x, values = find_peaks(heat, layout.rows, layout.columns, layout.squares, merging.threshold, reach)
    kept = np.lexsort((x, y))
    if len(values) >= merging.top_k:
        place = len(values) - merging.top_k
        kept = kept[values[kept] > np.partition(values, place)[place]]
    return Centers(y[kept], x[kept], values[kept])


@lru_cache(_SIZES)
def _lay_out(cells: tuple[int, int], sizes: Sizes, spec: HeadsSpec, grid: Grid) -> _Layout:
    rows, columns = axes(cells, sizes, spec, grid)
    reading = lay_reading(*(nearest_cells(cells[side], sizes, spec, side) for side in (0, 1)))
    return _Layout(rows, columns, lay_squares(rows, columns), reading)


def _offset_scale(cells: int, sizes: Sizes, spec: HeadsSpec) -> int:
    """What offsets at network stride are multiplied by to count pixels of the network's input.

    With aligned corners it follows the rows alone, as its authors have it.
    """
    if not spec.align_corners:
        return spec.stride
    return (sizes.input[0] - 1) // max(cells - 1, 1)


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
    for number, (index, most) in enumerate(
        zip(votes.argmax(axis=1).tolist(), votes.max(axis=1).tolist(), strict=True)
    ):
        if most == 0:
            continue
        counts[index] += 1
        label = index * merging.label_divisor + counts[index]
        names.append(_Name(len(categories) + number, label, categories[index], index))
    stuff = areas[: len(categories)].tolist()
    for index, (category, area) in enumerate(zip(categories, stuff, strict=True)):
        if category.isthing or category.isvoid or area == 0 or area < stuff_area:
            continue
        names.append(_Name(index, index * merging.label_divisor, category, index))
    return names


def _classes(names: list[_Name], codes: int) -> Numbers:
    classes = [NO_CLASS] * codes
    for name in names:
        classes[name.code] = name.class_index
    return np.array(classes, np.int32)


def _places(centers: Centers, sizes: Sizes, merging: MergingSpec) -> list[Point]:
    """The centers in the photograph."""
    places = zip(centers.x.tolist(), centers.y.tolist(), strict=True)
    if merging.grid == "output":
        return [(float(x), float(y)) for x, y in places]
    down, across = (output / fitted for output, fitted in zip(sizes.output, sizes.fitted, strict=True))
    return [((x + 0.5) * across - 0.5, (y + 0.5) * down - 0.5) for x, y in places]


def _segments(
    names: list[_Name],
    chances: NDArray[np.float64],
    counts: NDArray[np.int64],
    places: list[Point],
    heat: Floats,
    min_score: float,
) -> dict[int, Segment]:
    """The segments that score enough: {code: segment}.

    In plain Python: they are few, and each call of numpy's takes as long as several of them.
    """
    first = len(counts) - len(places)  # code of the first center
    scores, sure = chances.tolist(), np.clip(heat, 0, 1).tolist()
    rows = counts[[name.code for name in names]].tolist()
    segments = {}
    for (code, label, category, class_index), row in zip(names, rows, strict=True):
        area, box, middle = measured(row)
        score, center = scores[code], middle
        if code >= first:
            score, center = score * sure[code - first], places[code - first]
        if score >= min_score:
            segments[code] = Segment(
                label + 1, category.id, class_index, category.name, category.isthing, score, area, box, center
            )
    return segments


def _code_ids(codes: int, segments: dict[int, Segment]) -> Ids:
    ids = np.zeros(codes, np.int32)
    for code, segment in segments.items():
        ids[code] = segment.id
    return ids
