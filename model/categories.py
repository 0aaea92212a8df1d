"""Label sets: what a class index means in its data set."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Category:
    """One class of a label set; `index` is its channel in the semantic logits."""

    index: int
    id: int  # the data set's own id
    name: str
    isthing: bool
    color: tuple[int, int, int]  # RGB 0-255
    isvoid: bool = False  # learned to keep the model honest, answered as void


@cache
def load_categories(label_set: str) -> tuple[Category, ...]:
    """Read `cityscapes`, `coco` or `street`, in order of class index.

    Raises: ValueError: there is no such label set.
    """
    resource = files("model") / "labels" / f"{label_set}.json"
    if not resource.is_file():
        raise ValueError(f"there is no label set {label_set!r}; there are {', '.join(label_sets())}")
    rows = json.loads(resource.read_text(encoding="utf-8"))["categories"]
    return tuple(category_from_json(index, row) for index, row in enumerate(rows))


def category_from_json(index: int, row: dict[str, Any]) -> Category:
    """Make a category of one row of a label set."""
    red, green, blue = row["color"]
    return Category(
        index=index,
        id=row["id"],
        name=row["name"],
        isthing=row["isthing"],
        color=(red, green, blue),
        isvoid=row.get("isvoid", False),
    )


def label_sets() -> list[str]:
    """Names that `load_categories` takes, sorted."""
    folder = files("model") / "labels"
    return sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".json"))


def thing_indices(categories: tuple[Category, ...]) -> tuple[int, ...]:
    """Class indices whose pixels are split into instances."""
    return tuple(category.index for category in categories if category.isthing)


def void_indices(categories: tuple[Category, ...]) -> tuple[int, ...]:
    """Class indices that are answered as void."""
    return tuple(category.index for category in categories if category.isvoid)
