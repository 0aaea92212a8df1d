"""Security headers: on every answer, and pages that run their own scripts alone."""

import base64
import hashlib
import re

import httpx
import pytest

from service.http.security import page_policy
from tests.service.http.conftest import URL, Held


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/livez"), ("GET", "/v1/model"), ("GET", "/nowhere"), ("POST", URL), ("GET", "/metrics")],
)
def test_every_answer_forbids_guessing_and_loading(method: str, path: str, client: httpx.Client) -> None:
    headers = client.request(method, path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_a_fault_has_them_too(
    held_client: httpx.Client, held: Held, scene: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.http.answering.read_sent", lambda *given: 1 // 0)

    answer = held_client.post(URL, content=scene)

    assert answer.status_code == 500
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_runs_its_own_scripts_and_no_other(path: str, client: httpx.Client) -> None:
    page = client.get(path)
    scripts = re.findall(r"<script>(.*?)</script>", page.text, re.S)
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]

    policy = page.headers["content-security-policy"]

    assert scripts
    assert all(f"'sha256-{digest}'" in policy for digest in digests)
    assert "script-src 'self' 'sha256-" in policy
    assert "'unsafe-inline'" not in policy.partition("style-src")[0]


def test_a_page_has_no_handlers_in_its_tags(client: httpx.Client) -> None:
    assert re.findall(r"<[^>]+\son\w+=", client.get("/").text) == []


def test_what_an_answer_says_of_itself_stays(client: httpx.Client) -> None:
    assert client.get("/docs/swagger-ui.css").headers["cache-control"] == "max-age=86400"


def test_a_page_without_scripts_allows_none_inline() -> None:
    assert "script-src 'self' ;" in page_policy(b"<h1>hello</h1>")
