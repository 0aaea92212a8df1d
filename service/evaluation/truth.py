"""A labelled data set: its photographs, and what is known of their pixels.

DataSetError   the data set as a whole cannot be used
TruthError     one photograph's labels cannot
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.bundle import Size


class DataSetError(Exception):
    """A directory is no data set that can be judged on; the message says what was sought and what to do."""


class TruthError(Exception):
    """A photograph's labels are missing, damaged or of another size; the message says which."""


@dataclass(frozen=True)
class TrueSegment:
    """One segment of the truth."""

    id: int  # its number in the map, never 0
    category_id: int
    iscrowd: bool


@dataclass(frozen=True)
class Truth:
    """What is known of a photograph."""

    ids: NDArray[np.int32]  # (H, W), 0 is void
    segments: tuple[TrueSegment, ...]


@dataclass(frozen=True)
class Item:
    """A photograph of a data set."""

    name: str  # unique in the data set, fit for a file's name
    photograph: Path
    read: Callable[[], Truth]  # raises TruthError


@dataclass(frozen=True)
class DataSet:
    """Photographs with panoptic labels, in order of name."""

    path: Path
    layout: str
    categories: Mapping[int, str]  # the data set's own ids and names
    items: tuple[Item, ...]
    forgives_void: bool  # whether its official instance AP ignores what is found where nothing is labelled


def read_labels(path: Path) -> Image.Image:
    """Decode a picture of labels.

    Raises: TruthError: it is missing or damaged.
    """
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except FileNotFoundError:
        raise TruthError(f"its labels {path} are missing") from None
    except Exception as error:  # Pillow's plugins raise whatever their parsing met
        raise TruthError(f"its labels {path} cannot be decoded: {error}") from None


def check_size(truth: Truth, size: Size) -> None:
    """Compare a truth with its photograph.

    Raises: TruthError: their sizes differ.
    """
    rows, columns = truth.ids.shape
    if (rows, columns) != size:
        raise TruthError(
            f"its labels have {columns} x {rows} pixels, the upright photograph {size[1]} x {size[0]}"
        )
