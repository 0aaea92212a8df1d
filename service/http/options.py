"""Options: what a caller may ask for beside the photograph, in the query or in the body's `params`."""

import difflib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.datastructures import QueryParams

from model.bundle import CategorySpec, Manifest, MergingSpec
from service.http.negotiation import MEDIA_TYPES
from service.http.problems import Problem
from service.pipeline.selection import Selection, Subtask

Output = Literal["segments_info", "segmentation", "panoptic_png", "overlay_webp"]

OUTPUTS: tuple[Output, ...] = ("segments_info", "panoptic_png")
"""The members of the JSON answer, where a caller doesn't choose."""

_QUERIES = 64  # that are kept as they were read
_SHOWN = 60  # characters of a wrong value that a message repeats


def _odd(number: int) -> int:
    if number % 2 == 0:
        raise ValueError("must be odd")
    return number


def _whole(number: Any) -> Any:
    """JSON has one kind of number: 7.0 is the integer 7."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


WHOLE = BeforeValidator(_whole)
OddNumber = Annotated[
    int,
    Field(ge=1, le=255, json_schema_extra={"not": {"multipleOf": 2}}),
    WHOLE,
    AfterValidator(_odd),
]


def _split(values: Any) -> Any:
    """`outputs=a,b` is `outputs=a&outputs=b`."""
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        return values
    return [part.strip() for value in values for part in value.split(",")]


class PanopticOptions(BaseModel):
    """Options of `/v1/panoptic`; those not given are the bundle's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str | None = Field(
        None,
        description="Form of the answer, before the header Accept.",
        json_schema_extra={"enum": [*MEDIA_TYPES, None]},
    )
    center_threshold: float | None = Field(
        None, ge=0, le=1, allow_inf_nan=False, description="Least heat of an object's center."
    )
    nms_kernel: OddNumber | None = Field(
        None, description="Side of the window in which a center is the highest, in pixels; odd."
    )
    top_k_instance: Annotated[int, Field(ge=1, le=500), WHOLE] | None = Field(
        None, description="Fewer centers than this are kept, the highest ones."
    )
    stuff_area: Annotated[int, Field(ge=0, le=1 << 30), WHOLE] | None = Field(
        None,
        description="Fewer pixels of a stuff class are void; counted as in `/v1/model`.",
    )
    min_score: float = Field(
        0.0, ge=0, le=1, allow_inf_nan=False, description="Segments that score less are void."
    )
    classes: list[str | Annotated[int, WHOLE]] | None = Field(
        None,
        min_length=1,
        max_length=1000,
        description="Names or category ids as `/v1/labels` has them; all other classes are void.",
    )
    subtask: Subtask = Field(
        "panoptic",
        description="instance: stuff is void. semantic: the things of a class are one segment.",
    )
    outputs: Annotated[list[Output], BeforeValidator(_split)] | None = Field(
        None,
        min_length=1,
        max_length=20,
        description="Members of the JSON answer; segmentation is each segment's mask as RLE. By default "
        "segments_info and panoptic_png.",
    )
    png: Literal["rgb", "palette"] = Field(
        "rgb",
        description="palette: 8 bits a pixel, of a palette that holds the same colours, where it has room for them.",
    )

    def joined(self, params: "PanopticOptions | None") -> "PanopticOptions":
        """These of the query and those of the body.

        Raises: Problem: invalid-option, where one stands in both.
        """
        if params is None:
            return self
        twice = sorted(self.model_fields_set & params.model_fields_set)
        if twice:
            raise Problem("invalid-option", f"{twice[0]} stands in the query and in the body. Give it once.")
        return self.model_copy(update={name: getattr(params, name) for name in params.model_fields_set})

    def merging(self, manifest: Manifest) -> MergingSpec:
        """The bundle's merging with what is asked for.

        Raises: Problem: invalid-option, where this bundle's ids cannot count so many instances.
        """
        defaults = manifest.merging
        asked = {
            "threshold": self.center_threshold,
            "nms_kernel": self.nms_kernel,
            "top_k": self.top_k_instance,
            "stuff_area": self.stuff_area,
        }
        if (self.top_k_instance or 1) > defaults.label_divisor:
            raise Problem(
                "invalid-option",
                f"top_k_instance is {self.top_k_instance}, this model counts up to {defaults.label_divisor}.",
            )
        given = {name: value for name, value in asked.items() if value is not None}
        return defaults.model_copy(update=given) if given else defaults

    def selection(self, manifest: Manifest) -> Selection:
        """The classes and the task that are asked for.

        Raises: Problem: invalid-option, naming the nearest class of the model.
        """
        if self.classes is None:
            return Selection(None, self.subtask)
        found = [_classes(asked, manifest.categories) for asked in self.classes]
        return Selection(tuple(sorted({index for indices in found for index in indices})), self.subtask)


_LISTS = frozenset(
    name
    for name, schema in PanopticOptions.model_json_schema()["properties"].items()
    if any(kind.get("type") == "array" for kind in schema.get("anyOf", ()))
)
"""Options that a query may hold several times; of others the last counts."""


@lru_cache(_QUERIES)
def read_query(query: bytes) -> PanopticOptions:
    """The options of a query as it stands in the address; equal ones are read once.

    Raises: Problem: invalid-option.
    """
    sent = QueryParams(query)
    given = {name: sent.getlist(name) if name in _LISTS else sent[name] for name in sent}
    try:
        return PanopticOptions.model_validate(given)
    except ValidationError as error:
        raise problem_of_params(error.errors(), PanopticOptions.model_fields) from None


def read_params(given: Any, where: str) -> PanopticOptions:
    """The options of a body's `params`: strictly typed, as JSON has types.

    Raises: Problem: invalid-option.
    """
    try:
        return PanopticOptions.model_validate(given, strict=True)
    except ValidationError as error:
        if not isinstance(given, dict):
            raise Problem("invalid-option", f"{where} is {_short(given)}; it must be an object.") from None
        raise problem_of_params(error.errors(), PanopticOptions.model_fields) from None


def problem_of_params(found: Iterable[Mapping[str, Any]], known: Iterable[str]) -> Problem:
    """Every mistake that a check of options found, in one problem, with the names there are."""
    errors = [{"name": _name(each), "reason": _reason(each, list(known))} for each in found]
    errors = list(
        {entry["name"]: entry for entry in errors}.values()
    )  # a union tells one for each of its types
    detail = "; ".join(f"{entry['name']} {entry['reason']}" for entry in errors)
    return Problem("invalid-option", f"{detail}.", errors=errors)


def nearest(name: str, known: Iterable[str]) -> str:
    """Words that name the nearest of the known names; none where nothing is near."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f", the nearest is {found[0]}" if found else ""


def _name(error: Mapping[str, Any]) -> str:
    """The option that a mistake lies in."""
    names = [str(step) for step in error["loc"] if step not in ("query", "params", "parameters")]
    return names[0] if names else "params"


def _reason(error: Mapping[str, Any], known: list[str]) -> str:
    if error["type"] == "extra_forbidden":
        name = str(error["loc"][-1])
        return f"is no option{nearest(name, known)}; there are {', '.join(known)}"
    return f"is {_short(error['input'])}: {error['msg'].removeprefix('Value error, ')}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _classes(asked: str | int, categories: tuple[CategorySpec, ...]) -> list[int]:
    """The class indices of a name, a category id, or several of either between commas.

    Raises: Problem: invalid-option.
    """
    known = {category.name: index for index, category in enumerate(categories) if not category.isvoid}
    numbers = {str(category.id): index for index, category in enumerate(categories) if not category.isvoid}
    text = str(asked).strip()
    if text in known or text in numbers:
        return [known.get(text, numbers.get(text, 0))]
    if isinstance(asked, str) and "," in text:
        return [index for part in text.split(",") for index in _classes(part, categories)]
    raise Problem(
        "invalid-option",
        f"classes has {_short(asked)}, which is no class of this model{nearest(text, known)}. "
        "/v1/labels lists names and category ids.",
        errors=[{"name": "classes", "reason": f"there is no {_short(asked)}"}],
    )
