"""The truth as a curriculum teaches it: a data set's labels as codes and instances, and unions decided by an answer."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.curriculum import IGNORE, Curriculum, Teaching

UNKNOWN_INSTANCE = -1
"""Instance id of thing pixels that are not taught as instances: crowds and specks."""


def teach(
    ids: NDArray[np.int32],
    segments: Iterable[Mapping[str, Any]],
    names: Mapping[int, str],
    teaching: Teaching,
    things: frozenset[int],
) -> tuple[NDArray[np.uint8], NDArray[np.int16]]:
    """Turn a map of segment ids into codes and instances.

    Args:
        ids:      (H, W) segment ids.
        segments: COCO's segments_info: id, category_id, iscrowd.
        names:    {category_id: class name}.
    Returns: codes (H, W), IGNORE where no segment is; instances (H, W), numbered from 1.
    """
    present, flat, areas = np.unique(ids, return_inverse=True, return_counts=True)
    area = dict(zip(present.tolist(), areas.tolist(), strict=True))
    code_of: dict[int, int] = {}
    instance_of: dict[int, int] = {}
    for segment in segments:
        code = code_of[segment["id"]] = teaching.code(names[segment["category_id"]])
        if code not in things:
            continue
        whole = not segment["iscrowd"] and area.get(segment["id"], 0) >= teaching.smallest_instance
        instance_of[segment["id"]] = len(instance_of) + 1 if whole else UNKNOWN_INSTANCE
    codes = np.array([code_of.get(i, IGNORE) for i in present.tolist()], np.uint8)
    instances = np.array([instance_of.get(i, 0) for i in present.tolist()], np.int16)
    return codes[flat].reshape(ids.shape), instances[flat].reshape(ids.shape)


def decide(
    codes: NDArray[np.uint8],
    instances: NDArray[np.int16],
    semantic: NDArray[np.integer[Any]],
    curriculum: Curriculum,
) -> NDArray[np.int64]:
    """Resolve the unions against what was predicted, a segment at a time.

    A segment is the class of its union that most of its pixels were given, else the likeliest.

    Args:
        codes, instances: (H, W), as `teach` gives them.
        semantic: (H, W) predicted class indices.
    Returns: (H, W) class indices and IGNORE.
    """
    truth = codes.astype(np.int64)
    for number, union in enumerate(curriculum.unions):
        code = len(curriculum.categories) + number
        for instance in np.unique(instances[codes == code]):
            mask = (codes == code) & (instances == instance)
            votes = np.bincount(semantic[mask], minlength=len(curriculum.categories))[list(union)]
            truth[mask] = union[int(votes.argmax())]
    return truth
