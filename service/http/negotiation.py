"""Negotiation: which form of answer a caller gets, by `Accept` or by `?format=`."""

from typing import Literal

from service.http.problems import Problem

Format = Literal["json", "png", "multipart", "overlay", "coco", "rle", "ndjson", "huggingface"]

MEDIA_TYPES: dict[Format, str] = {
    "json": "application/json",
    "png": "image/png",
    "multipart": "multipart/mixed",
    "overlay": "image/webp",
    "coco": "application/vnd.coco.panoptic+json",
    "rle": "application/vnd.coco.rle+json",
    "ndjson": "application/x-ndjson",
    "huggingface": "application/json",  # after json, so that Accept alone never means it
}
"""Forms of answer in order of preference, where a caller has none."""

OF_ONE: frozenset[Format] = frozenset({"png", "overlay"})
"""Forms that hold one photograph's answer and no more."""


def choose_format(accept: str | None, asked: str | None) -> Format:
    """Choose by `?format=` where it is given, else by the header.

    Of equal q-values the first form in MEDIA_TYPES wins; for each form its most specific range counts.

    Raises: Problem: not-acceptable, listing what there is.
    """
    if asked is not None:
        for name in MEDIA_TYPES:
            if name == asked:
                return name
        raise _refusal(f"format is {asked!r}", MEDIA_TYPES)
    if not accept or not accept.strip():
        return "json"
    ranges = [_parse(part) for part in accept.split(",") if part.strip()]
    best = max(MEDIA_TYPES, key=lambda name: _quality(MEDIA_TYPES[name], ranges))
    if _quality(MEDIA_TYPES[best], ranges) <= 0:
        raise _refusal(f"Accept is {accept!r}", MEDIA_TYPES)
    return best


def check_many(format_: Format) -> None:
    """Refuse a form that cannot hold the answers to several photographs.

    Raises: Problem: not-acceptable, listing those that can.
    """
    if format_ in OF_ONE:
        rest = {name: media for name, media in MEDIA_TYPES.items() if name not in OF_ONE}
        raise _refusal(f"The body has several photographs, and {MEDIA_TYPES[format_]} holds one answer", rest)


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


def _refusal(found: str, forms: dict[Format, str]) -> Problem:
    there_is = ", ".join(f"{media} (?format={name})" for name, media in forms.items())
    return Problem(
        "not-acceptable",
        f"{found}. There is {there_is}.",
        headers={"Vary": "Accept"},
        available=list(dict.fromkeys(forms.values())),
    )
