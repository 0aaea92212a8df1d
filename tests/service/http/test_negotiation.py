"""Negotiation: Accept with its q-values, and the option before it."""

import pytest

from service.http.negotiation import choose_format
from service.http.problems import Problem


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "json"),
        ("", "json"),
        ("*/*", "json"),
        ("application/*", "json"),
        ("image/png", "png"),
        ("IMAGE/PNG", "png"),
        ("image/*", "png"),
        ("image/webp", "overlay"),
        ("multipart/mixed", "multipart"),
        ("image/png;q=0.4, application/json;q=0.5", "json"),
        ("image/png; q=0.9, */*; q=0.1", "png"),
        ("application/json;q=0, */*", "png"),
        ("text/html, */*;q=0.1", "json"),
        ("image/png;q=high", "png"),
    ],
)
def test_the_header_chooses(accept: str | None, chosen: str) -> None:
    assert choose_format(accept, None) == chosen


def test_the_option_goes_before_the_header() -> None:
    assert choose_format("application/json", "png") == "png"


@pytest.mark.parametrize(("accept", "asked"), [("text/html", None), ("*/*;q=0", None), (None, "gif")])
def test_what_does_not_exist_is_refused_with_a_list_of_what_does(
    accept: str | None, asked: str | None
) -> None:
    with pytest.raises(Problem) as raised:
        choose_format(accept, asked)

    assert raised.value.kind.status == 406
    assert "image/png (?format=png)" in raised.value.detail
