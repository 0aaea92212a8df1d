"""What a data set's classes teach: each becomes a code.

Codes below the number of classes are classes. Codes above them are unions, for labels that leave open which of some
classes a pixel is. IGNORE teaches nothing.
"""

import json
from dataclasses import dataclass
from importlib.resources import files

from model.categories import Category, label_sets, load_categories

IGNORE = 255


@dataclass(frozen=True)
class Teaching:
    """One data set's part: class name to code."""

    codes: dict[str, int]
    default: int  # code of classes that are not named
    instance_weight: float  # of center and offset losses; below 1 where instances are connected components
    smallest_instance: int  # instances of fewer pixels are not taught as instances

    def code(self, name: str) -> int:
        """Look up what a class of the data set teaches."""
        return self.codes.get(name, self.default)


@dataclass(frozen=True)
class Curriculum:
    """All data sets' parts, with the unions that their codes speak of."""

    categories: tuple[Category, ...]
    unions: tuple[tuple[int, ...], ...]  # class indices, likeliest first; union 0 has code len(categories)
    data_sets: dict[str, Teaching]

    def things(self) -> frozenset[int]:
        """Codes whose pixels belong to instances: thing classes, and unions of thing classes alone."""
        things = {category.index for category in self.categories if category.isthing}
        first = len(self.categories)
        unions = {first + i for i, union in enumerate(self.unions) if set(union) <= things}
        return frozenset(things | unions)


def load_curriculum(name: str) -> Curriculum:
    """Read a mapping, `street` for one; of a label set without a mapping, each class teaches itself.

    Raises: ValueError: there is neither, or the mapping names a class that its label set does not have.
    """
    mapping = files("model.curriculum") / f"{name}.json"
    if not mapping.is_file():
        return _plain_curriculum(name)
    found = json.loads(mapping.read_text(encoding="utf-8"))
    categories = load_categories(found["label_set"])
    indices = {category.name: category.index for category in categories}
    unions: list[tuple[int, ...]] = []

    def code(entry: str | list[str] | None) -> int:
        if entry is None:
            return IGNORE
        names = [entry] if isinstance(entry, str) else entry
        if unknown := [name for name in names if name not in indices]:
            raise ValueError(
                f"mapping {name!r} teaches {unknown[0]!r}, which label set {found['label_set']!r} has not"
            )
        union = tuple(indices[name] for name in names)
        if len(union) == 1:
            return union[0]
        if union not in unions:
            unions.append(union)
        return len(categories) + unions.index(union)

    data_sets = {
        key: Teaching(
            codes={class_name: code(entry) for class_name, entry in part["classes"].items()},
            default=code(part["default"]),
            instance_weight=float(part["instance_weight"]),
            smallest_instance=int(part["smallest_instance"]),
        )
        for key, part in found["data_sets"].items()
    }
    return Curriculum(categories, tuple(unions), data_sets)


def _plain_curriculum(label_set: str) -> Curriculum:
    """A data set that is labelled in the very classes of a label set; what is not named teaches nothing."""
    if label_set not in label_sets():
        raise ValueError(f"there is no curriculum {label_set!r}; there are {', '.join(label_sets())}")
    categories = load_categories(label_set)
    codes = {category.name: category.index for category in categories}
    teaching = Teaching(codes, default=IGNORE, instance_weight=1.0, smallest_instance=1)
    return Curriculum(categories, (), {label_set: teaching})
