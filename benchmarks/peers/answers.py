"""Whether two servers give the same answer: read from what they sent, before anything is measured."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True)
class Answer:
    """What a server says of the photograph."""

    categories: NDArray[np.int64]  # (H, W), 0 is void
    things: int  # segments


class NoAnswer(Exception):
    """A body is not the answer that all are asked for; the message says why."""


def read_answer(body: bytes) -> Answer:
    """Read JSON with `segments_info` and a panoptic PNG in base64.

    Raises: NoAnswer: it is something else, or a pixel belongs to no segment.
    """
    start = body.find(b'{"segments_info"')  # Triton's tensor stands behind its JSON and its own length
    try:
        found = json.loads(body if start < 0 else body[start:])
        with Image.open(BytesIO(base64.b64decode(found["panoptic_png"]))) as image:
            ids = np.asarray(image.convert("RGB")).astype(np.int64) @ np.array([1, 256, 65536])
        categories = {0: 0} | {row["id"]: row["category_id"] for row in found["segments_info"]}
        things = sum(bool(row["isthing"]) for row in found["segments_info"])
        return Answer(_replaced(ids, categories), things)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise NoAnswer(f"its answer is not segments_info and a panoptic PNG: {error!r}") from error


def agreement(first: Answer, second: Answer) -> float:
    """The share of pixels of the same category.

    Raises: NoAnswer: the pictures differ in size.
    """
    if first.categories.shape != second.categories.shape:
        raise NoAnswer(f"its PNG is {second.categories.shape}, ours {first.categories.shape}")
    return float((first.categories == second.categories).mean())


def _replaced(ids: NDArray[np.int64], names: Mapping[int, Any]) -> NDArray[np.int64]:
    present, places = np.unique(ids, return_inverse=True)
    return np.array([int(names[int(number)]) for number in present])[places].reshape(ids.shape)
