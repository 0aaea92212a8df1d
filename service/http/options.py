"""Options: what a caller may ask for beside the photograph, as query parameters."""

from typing import Annotated

from fastapi import Query
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from model.bundle import Manifest, MergingSpec
from service.http.negotiation import MEDIA_TYPES
from service.http.problems import Problem


def _odd(number: int) -> int:
    if number % 2 == 0:
        raise ValueError("must be odd")
    return number


class PanopticOptions(BaseModel):
    """Options of `/v1/panoptic`; those not given are the bundle's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str | None = Field(
        None,
        description="Form of the answer, before the header Accept.",
        json_schema_extra={"enum": list(MEDIA_TYPES)},
    )
    center_threshold: float | None = Field(
        None, ge=0, le=1, allow_inf_nan=False, description="Least heat of an object's center."
    )
    nms_kernel: Annotated[int, AfterValidator(_odd)] | None = Field(
        None, ge=1, le=255, description="Side of the window in which a center is the highest, in pixels; odd."
    )
    top_k_instance: int | None = Field(
        None, ge=1, le=500, description="Fewer centers than this are kept, the highest ones."
    )
    stuff_area: int | None = Field(
        None,
        ge=0,
        le=1 << 30,
        description="Fewer pixels of a stuff class are void; counted as in `/v1/model`.",
    )
    min_score: float = Field(
        0.0, ge=0, le=1, allow_inf_nan=False, description="Segments that score less are void."
    )

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
        return defaults.model_copy(update={name: value for name, value in asked.items() if value is not None})


Options = Annotated[PanopticOptions, Query()]


def problem_of_options(error: RequestValidationError) -> Problem:
    """The problem that wrong query parameters are: every mistake, and the names there are."""
    known = ", ".join(PanopticOptions.model_fields)
    errors = []
    for found in error.errors():
        name = str(found["loc"][-1])
        unknown = found["type"] == "extra_forbidden"
        reason = (
            f"is no option; there are {known}"
            if unknown
            else f"is {found['input']!r}: {found['msg'].removeprefix('Value error, ')}"
        )
        errors.append({"name": name, "reason": reason})
    detail = "; ".join(f"{entry['name']} {entry['reason']}" for entry in errors)
    return Problem("invalid-option", f"{detail}.", errors=errors)
