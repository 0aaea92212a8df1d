"""The merging against goldens: maps in, labels out, equal to the last pixel.

`post` goldens hold class indices, heat and offsets, and what both published programs make of them, or the error they
end with. `tail` goldens hold logits, heat and offsets at one size, cropped, resized and merged at another, with the
scores of the instances.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.lib.npyio import NpzFile
from torch import Tensor

from model import grouping
from model.categories import load_categories, thing_indices
from model.fit import Sizes
from model.network.panoptic_deeplab import Heads
from model.parity.findings import Finding, count
from model.tail import Answer, finish
from model.variants import R52_DC5, Merging, Variant

MAX_SCORE_DIFFERENCE = 1e-5
OLD_VOID = 255  # times the divisor: how the original repository writes void

Row = dict[str, Any]  # a case's parameters
LABEL_SETS = ("cityscapes", "coco")  # that a tail's things may belong to


def compare_post(golden: str, arrays: NpzFile) -> Iterator[Finding]:
    """Merge every case and compare labels and centers with both programs, and speak of the errors."""
    rows: list[Row] = json.loads(str(arrays["index"]))
    for program, void in (("d2", _detectron2_void), ("old", _original_void)):
        told = [row for row in rows if f"{row['name']}/panoptic_{program}" in arrays]
        labels = [row["name"] for row in told if not _same_labels(arrays, row, program, void(row))]
        centers = [row["name"] for row in told if not _same_centers(arrays, row, program)]
        yield count(golden, f"panoptic, {program}", labels, len(told))
        yield count(golden, f"centers, {program}", centers, len(told))
    for row in rows:
        programs = [program for program in ("d2", "old") if f"{row['name']}/error_{program}" in arrays]
        if programs:
            yield _speak_of_error(golden, arrays, row, programs)


def compare_tail(golden: str, arrays: NpzFile) -> Iterator[Finding]:
    """Finish every case on the output grid and compare labels and scores with Detectron2's; the original's labels,
    on the uncropped maps, as well.
    """
    rows: list[Row] = json.loads(str(arrays["index"]))
    answers = {row["name"]: _finish(arrays, row, tuple(row["crop"]), tuple(row["out"])) for row in rows}
    whole = {row["name"]: _finish(arrays, row, _size(arrays, row), _size(arrays, row)) for row in rows}

    def misfits(holds: Callable[[Row], bool]) -> list[str]:
        return [row["name"] for row in rows if not holds(row)]

    def panoptic(row: Row) -> bool:
        return _equal(answers[row["name"]].labels, arrays[f"{row['name']}/panoptic"], -1)

    def panoptic_old(row: Row) -> bool:
        return _equal(whole[row["name"]].labels, arrays[f"{row['name']}/panoptic_old"], _original_void(row))

    def scores(row: Row) -> bool:
        return _same_scores(
            answers[row["name"]], row, arrays[f"{row['name']}/score"], arrays[f"{row['name']}/class"]
        )

    def scores_old(row: Row) -> bool:
        name = row["name"]
        return _same_scores(whole[name], row, arrays[f"{name}/score_old_both"], None)

    yield count(golden, "panoptic, d2", misfits(panoptic), len(rows))
    yield count(golden, "panoptic, old", misfits(panoptic_old), len(rows))
    yield count(golden, "scores and classes, d2", misfits(scores), len(rows))
    yield count(golden, "scores, old", misfits(scores_old), len(rows))


def merge_row(arrays: NpzFile, row: Row) -> Tensor:
    """Merge one `post` case: (H, W) int64 labels.

    Raises: ValueError: its kernel is even.
    """
    name = row["name"]
    return grouping.panoptic(
        torch.from_numpy(arrays[f"{name}/sem"].astype(np.int64)),
        _heat(arrays, row),
        torch.from_numpy(arrays[f"{name}/off"].astype(np.float32)),
        things=tuple(row["things"]),
        threshold=row["threshold"],
        nms_kernel=row["nms_kernel"],
        top_k=row["top_k"],
        stuff_area=row["stuff_area"],
        label_divisor=row["label_divisor"],
    )


def _same_labels(arrays: NpzFile, row: Row, program: str, void: int) -> bool:
    return _equal(merge_row(arrays, row), arrays[f"{row['name']}/panoptic_{program}"], void)


def _same_centers(arrays: NpzFile, row: Row, program: str) -> bool:
    ours = grouping.find_centers(_heat(arrays, row), row["threshold"], row["nms_kernel"], row["top_k"])
    return np.array_equal(ours.numpy(), arrays[f"{row['name']}/centers_{program}"])


def _speak_of_error(golden: str, arrays: NpzFile, row: Row, programs: list[str]) -> Finding:
    """Where a published program ends in an error: an even kernel we refuse too, any other map we merge."""
    what = f"{row['name']}: {' and '.join(programs)} refuse"
    must_refuse = row["nms_kernel"] % 2 == 0
    try:
        merge_row(arrays, row)
    except ValueError as error:
        return Finding(golden, what, f"refused: {error}", "refused" if must_refuse else "merged", must_refuse)
    return Finding(
        golden, what, "merged as any other map", "refused" if must_refuse else "merged", not must_refuse
    )


def _finish(arrays: NpzFile, row: Row, crop: tuple[int, int], out: tuple[int, int]) -> Answer:
    name = row["name"]
    heads = Heads(
        torch.from_numpy(arrays[f"{name}/logits"].astype(np.float32))[None],
        _heat(arrays, row)[None, None],
        torch.from_numpy(arrays[f"{name}/off"].astype(np.float32))[None],
    )
    merging = Merging(**{field: row[field] for field in Merging.__dataclass_fields__})
    sizes = Sizes(input=_size(arrays, row), fitted=crop, output=out)
    return finish(heads, _tail_variant(row), sizes, merging=merging)


def _tail_variant(row: Row) -> Variant:
    """Detectron2's flavour with heads at full size already, and the case's label set.

    Raises: ValueError: no label set of ours has the case's things.
    """
    for label_set in LABEL_SETS:
        if thing_indices(load_categories(label_set)) == tuple(row["things"]):
            return replace(R52_DC5, label_set=label_set, stride=1)
    raise ValueError(f"the things of {row['name']} belong to none of {', '.join(LABEL_SETS)}")


def _same_scores(
    answer: Answer, row: Row, scores: "np.ndarray[Any, Any]", classes: "np.ndarray[Any, Any] | None"
) -> bool:
    ours = grouping.instance_scores(
        answer.labels, answer.logits, answer.center, tuple(row["things"]), row["label_divisor"]
    )
    if classes is not None and [label // row["label_divisor"] for label in ours] != classes.tolist():
        return False
    return len(ours) == len(scores) and bool(
        np.allclose(list(ours.values()), scores, rtol=0, atol=MAX_SCORE_DIFFERENCE)
    )


def _equal(labels: Tensor, golden: "np.ndarray[Any, Any]", void: int) -> bool:
    ours = labels.numpy()
    return np.array_equal(np.where(ours == grouping.VOID, void, ours), golden)


def _heat(arrays: NpzFile, row: Row) -> Tensor:
    return torch.from_numpy(arrays[f"{row['name']}/ctr"].astype(np.float32))


def _size(arrays: NpzFile, row: Row) -> tuple[int, int]:
    rows, columns = arrays[f"{row['name']}/ctr"].shape
    return rows, columns


def _detectron2_void(row: Row) -> int:
    return -1


def _original_void(row: Row) -> int:
    return OLD_VOID * int(row["label_divisor"])
