"""Negotiation: which form of answer a caller gets, by `Accept` or by `?format=`."""

from typing import Literal

from service.http.problems import Problem

Format = Literal["json", "png", "multipart", "overlay"]

MEDIA_TYPES: dict[Format, str] = {
    "json": "application/json",
    "png": "image/png",
    "multipart": "multipart/mixed",
    "overlay": "image/webp",
}
"""Forms of answer in order of preference, where a caller has none."""


def choose_format(accept: str | None, asked: str | None) -> Format:
    """Choose by `?format=` where it is given, else by the header.

    Of equal q-values the first form in MEDIA_TYPES wins; for each form its most specific range counts.

    Raises: Problem: not-acceptable, listing what there is.
    """
    if asked is not None:
        for name in MEDIA_TYPES:
            if name == asked:
                return name
        raise _refusal(f"format is {asked!r}")
    if not accept or not accept.strip():
        return "json"
    ranges = [_parse(part) for part in accept.split(",") if part.strip()]
    best = max(MEDIA_TYPES, key=lambda name: _quality(MEDIA_TYPES[name], ranges))
    if _quality(MEDIA_TYPES[best], ranges) <= 0:
        raise _refusal(f"Accept is {accept!r}")
    return best


def _parse(part: str) -> tuple[str, float]:
    """A range and its q; a q that is no number counts as none."""
    media, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return media, min(max(float(value), 0.0), 1.0)
            except ValueError:
                return media, 1.0
    return media, 1.0


def _quality(media_type: str, ranges: list[tuple[str, float]]) -> float:
    for wanted in (media_type, media_type.split("/", maxsplit=1)[0] + "/*", "*/*"):
        found = [quality for media, quality in ranges if media == wanted]
        if found:
            return max(found)
    return 0.0


def _refusal(found: str) -> Problem:
    there_is = ", ".join(f"{media} (?format={name})" for name, media in MEDIA_TYPES.items())
    return Problem("not-acceptable", f"{found}. There is {there_is}.", available=list(MEDIA_TYPES.values()))
