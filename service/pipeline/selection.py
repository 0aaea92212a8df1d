"""Selection: the part of a panoptic answer that a caller asks for, by classes and by task."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.pipeline.panoptic import Panoptic
from service.pipeline.segments import Segment

Subtask = Literal["panoptic", "semantic", "instance"]


@dataclass(frozen=True)
class Selection:
    """Which segments are told, and whether things are told apart."""

    classes: tuple[int, ...] | None = None  # class indices in order; None is all
    subtask: Subtask = "panoptic"


def select(panoptic: Panoptic, selection: Selection, label_divisor: int) -> Panoptic:
    """Keep what is asked for; all else becomes void.

    "instance" keeps things alone. "semantic" joins the things of a class into one segment, whose id is that of the
    class's stuff would be: class index times divisor, plus 1. Its score is the mean over its pixels, its center
    their mean place.
    """
    kept = [segment for segment in panoptic.segments if _wanted(segment, selection)]
    if selection.subtask != "semantic":
        if len(kept) == len(panoptic.segments):
            return panoptic
        return _renumbered(panoptic, {segment.id: segment.id for segment in kept}, kept)
    numbers = {segment.id: segment.class_index * label_divisor + 1 for segment in kept}
    semantic = _renumbered(panoptic, numbers, ())
    joined = [
        _joined([part for part in kept if numbers[part.id] == number], number, semantic.ids)
        for number in sorted(set(numbers.values()))
    ]
    return replace(semantic, segments=tuple(joined))


def _wanted(segment: Segment, selection: Selection) -> bool:
    if selection.subtask == "instance" and not segment.isthing:
        return False
    return selection.classes is None or segment.class_index in selection.classes


def _renumbered(panoptic: Panoptic, numbers: dict[int, int], segments: Sequence[Segment]) -> Panoptic:
    """Each id by its new number, and void where it has none."""
    ids = np.array([numbers.get(number, 0) for number in panoptic.code_ids.tolist()], np.int32)
    return Panoptic(panoptic.codes, ids, tuple(segments))


def _joined(parts: Sequence[Segment], number: int, ids: NDArray[np.int32]) -> Segment:
    """One segment of all parts of a class."""
    if len(parts) == 1 and not parts[0].isthing:
        return parts[0]
    area = sum(part.area for part in parts)
    left, top = (min(part.bbox[side] for part in parts) for side in (0, 1))
    right, bottom = (max(part.bbox[side] + part.bbox[side + 2] for part in parts) for side in (0, 1))
    rows, columns = np.nonzero(ids[top:bottom, left:right] == number)
    return parts[0]._replace(
        id=number,
        score=sum(part.score * part.area for part in parts) / area,
        area=area,
        bbox=(left, top, right - left, bottom - top),
        center=(left + float(columns.mean()), top + float(rows.mean())),
    )
