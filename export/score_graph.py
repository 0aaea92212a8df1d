"""The part of a merging graph that scores need: sums of class probabilities, so that no logits leave the device.

A segment's score is the mean probability of its class over its pixels, each read at its nearest cell, one pixel a cell;
a segment without any such pixel is read whole. Which class a thing has only the host finds, by its pixels' majority;
so there is a sum for every center and every class, as one product of matrices: where a center's pixels are, times how
likely each class is there.
"""

import numpy as np
from onnx import TensorProto

from export import ExportError
from export.merging_plan import CHUNK, Plan
from export.pen import Pen
from model.fit import Sizes
from model.reading import Numbers, middles, nearest_cells


def sum_chances(pen: Pen, plan: Plan, classes: str, instances: str) -> tuple[str, str]:
    """Two tables, (N, K + 1, C) float32: sums over the pixels that are read, and over all.

    Row 0 holds, for each class, its sum over its pixels that belong to no center; row k, for each class, that class's
    sum over all pixels of things that belong to center k.

    Args:
        classes, instances: (N, 1, rows, columns) int32, as the merging graph has them.

    Raises: ExportError: there is a cell that no pixel is read at.
    """
    assert plan.things is not None
    reading = [_reading(plan, side) for side in (0, 1)]
    thing = np.isin(np.arange(plan.classes), plan.things)
    owner = pen("Mul", instances, pen("Gather", pen.ints(thing), classes))
    alone = pen("Where", pen("Greater", owner, pen.ints(0)), pen.ints(-1), classes)
    chances = pen("Softmax", "semantic", axis=1)  # (N, C, h, w)
    kept = _sample(pen, owner, reading), _sample(pen, alone, reading)
    sampled = _table(pen, plan, chances, *kept, None)
    return sampled, _table(pen, plan, chances, owner, alone, reading)


def _reading(plan: Plan, side: int) -> Numbers:
    """The nearest cell of every row or column."""
    whole = Sizes(plan.bucket, plan.bucket, plan.bucket)
    found = nearest_cells(plan.cells[side], whole, plan.spec, side)
    if not np.array_equal(np.unique(found), np.arange(plan.cells[side])):
        raise ExportError(
            f"{plan.bucket} has {plan.cells} cells of stride {plan.spec.stride}, of which some are no pixel's nearest: "
            "the merging cannot stand in its graph."
        )
    return found


def _sample(pen: Pen, full: str, reading: list[Numbers]) -> str:
    """The one pixel of each cell that is read: (N, 1, h, w)."""
    for axis, cells in enumerate(reading, start=2):
        full = pen("Gather", full, pen.longs(middles(cells)), axis=axis)
    return full


def _table(pen: Pen, plan: Plan, chances: str, owner: str, alone: str, reading: list[Numbers] | None) -> str:
    """(N, K + 1, C) sums.

    Args:
        owner, alone: (N, 1, …) the center's number, or 0; the class where there is no center, or -1.
        reading: the cells of full-size maps; None: the maps are at network stride.
    """
    cells = plan.cells[0] * plan.cells[1]
    flat = pen(
        "Transpose", pen("Reshape", chances, pen.longs([-1, plan.classes, cells])), perm=[0, 2, 1]
    )  # (N, h * w, C)
    parts = []
    for first in range(0, plan.classes, CHUNK):
        last = min(first + CHUNK, plan.classes)
        hits = _hits(pen, alone, first, last, reading)
        part = pen("Slice", chances, pen.longs([first]), pen.longs([last]), pen.longs([1]))
        parts.append(pen("ReduceSum", pen("Mul", hits, part), pen.longs([2, 3]), keepdims=0))
    rows = [pen("Reshape", pen("Concat", *parts, axis=1), pen.longs([-1, 1, plan.classes]))]
    for first in range(0, plan.most, CHUNK):
        last = min(first + CHUNK, plan.most)
        hits = _hits(pen, owner, first + 1, last + 1, reading)
        rows.append(pen("MatMul", pen("Reshape", hits, pen.longs([-1, last - first, cells])), flat))
    return pen("Concat", *rows, axis=1)


def _hits(pen: Pen, numbers: str, first: int, last: int, reading: list[Numbers] | None) -> str:
    """How many pixels of each cell have each of the numbers: (N, last - first, h, w) float32."""
    wanted = pen.ints(np.arange(first, last).reshape(1, -1, 1, 1))
    hits = pen("Cast", pen("Equal", numbers, wanted), to=TensorProto.FLOAT)
    if reading is None:
        return hits
    groups = [_groups(cells) for cells in reading]
    if any(group is not None for _, group in groups):
        hits = pen("Pad", hits, pen.longs([0, 0, 0, 0, 0, 0, 1, 1]))  # a row and a column of nothing
        for axis, (cells, (_, group)) in enumerate(zip(reading, groups, strict=True), start=2):
            pixels = np.arange(cells.size) if group is None else group
            hits = pen("Gather", hits, pen.longs(pixels), axis=axis)
    shape = [-1, last - first]
    for cells, (size, _) in zip(reading, groups, strict=True):
        shape += [int(cells[-1]) + 1, size]
    return pen("ReduceSum", pen("Reshape", hits, pen.longs(shape)), pen.longs([3, 5]), keepdims=0)


def _groups(cells: Numbers) -> tuple[int, Numbers | None]:
    """Pixels that a cell has at most; and the pixels of all cells, each filled up to that by one that is nothing.

    None in their place where all cells have the same number of them.
    """
    counts = np.bincount(cells)
    size = int(counts.max())
    if (counts == size).all():
        return size, None
    pixels = np.full((counts.size, size), cells.size, np.int32)
    for cell in range(counts.size):
        pixels[cell, : counts[cell]] = np.flatnonzero(cells == cell)
    return size, pixels.ravel()
