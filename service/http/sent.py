"""Sent: what a request's body held, whichever its form."""

from dataclasses import dataclass

from service.http.options import PanopticOptions, nearest
from service.http.problems import Problem

PART, PARAMS = "image", "params"


@dataclass(frozen=True)
class Sent:
    """Photographs in order, and the options that came with them."""

    images: tuple[bytes | Problem, ...]  # a problem where the bytes of one cannot be had
    params: PanopticOptions | None = None
    many: bool = False  # whether the form is one for several, however many there are
    hugging_face: bool = False


def check_count(found: int, max_images: int) -> None:
    """Refuse more photographs than one request may have.

    Raises: Problem: too-many-images.
    """
    if found > max_images:
        raise Problem(
            "too-many-images",
            f"The body has {found} photographs, this server takes up to {max_images} in a request "
            "(PANOPTIC_MAX_IMAGES). Send them in several.",
            limit=max_images,
        )


def unknown_member(name: str, known: tuple[str, ...], place: str) -> Problem:
    """The problem of a part or a member that means nothing."""
    there_are = ", ".join(f"`{each}`" for each in known)
    return Problem("invalid-form", f"{place} has {name!r}{nearest(name, known)}; it may have {there_are}.")
