"""Keys: who is let in, what a key may ask for, and a file that is wrong."""

import hashlib
import logging
import socket
from pathlib import Path

import httpx
import pytest
from starlette.datastructures import Headers

from model.bundle import Bundle
from service.http.keys import Key, find_key, is_open, read_keys, warn_of_open_doors
from service.http.problems import Problem
from service.pipeline.queue import Priority
from service.serve import main
from service.settings import SettingsError
from tests.service.conftest import Serve
from tests.service.http.conftest import URL, problem

CAMERA, NIGHT = "a-long-random-key", "another-long-random-key"


def line(name: str, key: str, rest: str = "") -> str:
    return f"{name} {hashlib.sha256(key.encode()).hexdigest()} {rest}\n"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text("# who may ask\n\n" + line("camera", CAMERA) + line("night", NIGHT, "priority=batch"))
    return path


@pytest.fixture
def guarded(serve: Serve, keys: Path) -> httpx.Client:
    return serve(keys=keys)


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": f"Bearer {CAMERA}"}, {"authorization": f"bearer  {CAMERA}"}, {"X-API-Key": CAMERA}],
)
def test_a_known_key_is_let_in(headers: dict[str, str], guarded: httpx.Client, scene: bytes) -> None:
    assert guarded.post(URL, content=scene, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        ({}, 'Bearer realm="panoptic"'),
        ({"Authorization": f"Basic {CAMERA}"}, 'Bearer realm="panoptic"'),
        ({"Authorization": "Bearer"}, 'Bearer realm="panoptic"'),
        ({"X-API-Key": CAMERA[:-1]}, 'Bearer realm="panoptic", error="invalid_token"'),
        (
            {"X-API-Key": hashlib.sha256(CAMERA.encode()).hexdigest()},
            'Bearer realm="panoptic", error="invalid_token"',
        ),
    ],
)
def test_all_else_is_refused_with_what_is_wanted(
    headers: dict[str, str], challenge: str, guarded: httpx.Client, scene: bytes
) -> None:
    answer = guarded.post(URL, content=scene, headers=headers)

    problem(answer, 401, "key-required")
    assert answer.headers["www-authenticate"] == challenge
    assert 'panoptic_rejected_total{reason="key-required"} 1.0' in guarded.get("/metrics").text


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/openapi.json", "/livez", "/readyz", "/metrics", "/problems/too-slow"]
)
def test_pages_and_probes_ask_for_no_key(path: str, guarded: httpx.Client) -> None:
    assert guarded.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/v1/model", "/v1/panoptic", "/nowhere", "/metrics/", "//", "/v2/models"])
def test_all_other_paths_do(path: str) -> None:
    assert not is_open(path)


def test_a_path_that_climbs_out_of_the_pages_leads_nowhere(guarded: httpx.Client) -> None:
    with socket.create_connection((guarded.base_url.host, guarded.base_url.port or 0), timeout=30) as raw:
        raw.sendall(b"GET /docs/../v1/model HTTP/1.1\r\nHost: x\r\n\r\n")

        assert raw.recv(4096).startswith(b"HTTP/1.1 404 ")


def test_a_key_for_batches_may_not_be_interactive(guarded: httpx.Client, scene: bytes) -> None:
    headers = {"X-API-Key": NIGHT, "X-Priority": "interactive"}

    problem(guarded.post(URL, content=scene, headers=headers), 403, "key-forbids")


def test_the_log_names_the_key_and_never_shows_it(
    guarded: httpx.Client, scene: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="panoptic.http"):
        guarded.post(URL, content=scene, headers={"X-API-Key": CAMERA})
        guarded.get("/v1/model", headers={"X-API-Key": CAMERA + "?"})

    assert " json camera" in caplog.text
    assert CAMERA not in caplog.text
    assert hashlib.sha256(CAMERA.encode()).hexdigest() not in caplog.text


def test_a_line_says_what_its_key_may(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(line("archive", CAMERA, "concurrency=4 priority=batch"))

    key, *_ = read_keys(tmp_path / "keys")

    assert (key.name, key.concurrency, key.priority) == ("archive", 4, Priority.BATCH)


@pytest.mark.parametrize(
    "content",
    [
        "camera",
        f"camera {'g' * 64}",
        f"ca/mera {'0' * 64}",
        f"camera {'0' * 64} priority=highest",
        f"camera {'0' * 64} concurrency=0",
        f"camera {'0' * 64} colour=red",
    ],
)
def test_a_line_that_is_no_key_is_told_by_its_number_and_not_shown(content: str, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"# keys\n{content}\n")

    with pytest.raises(SettingsError, match="keys, line 2 is no key") as raised:
        read_keys(tmp_path / "keys")

    assert content.rsplit(maxsplit=1)[-1] not in str(raised.value).split()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no key"),
        (f"a {'0' * 64}\na {'1' * 64}\n".encode(), "a name or a key twice"),
        (f"a {'0' * 64}\nb {'0' * 64}\n".encode(), "a name or a key twice"),
        (b"\xff\xfe", "it is no text"),
        (None, "No such file"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(content: bytes | None, words: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "keys").write_bytes(content)

    with pytest.raises(SettingsError, match=words):
        read_keys(tmp_path / "keys")


def test_every_key_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    def compare(one: str, other: str) -> bool:
        compared.append(one)
        return one == other

    monkeypatch.setattr("hmac.compare_digest", compare)
    known = [Key(name, hashlib.sha256(name.encode()).hexdigest()) for name in ("first", "second", "third")]

    find_key(known, Headers({"X-API-Key": "first"}))

    assert compared == [key.sha256 for key in known]


def test_a_key_of_other_letters_is_only_unknown() -> None:
    with pytest.raises(Problem, match="not known"):
        find_key([Key("camera", "0" * 64)], Headers(raw=[(b"x-api-key", b"\xff\xfe")]))


@pytest.mark.parametrize(
    ("host", "known", "warns"),
    [
        ("0.0.0.0", (), True),
        ("::", (), True),
        ("panoptic.example", (), True),
        ("127.0.0.1", (), False),
        ("::1", (), False),
        ("localhost", (), False),
        ("0.0.0.0", (Key("camera", "0" * 64),), False),
    ],
)
def test_open_doors_are_told_loudly(
    host: str, known: tuple[Key, ...], warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_open_doors(host, known)

    assert ("NO KEYS ARE SET" in caplog.text) == warns


def test_a_file_of_keys_that_is_missing_ends_in_one_sentence_and_exit_code_2(
    toy: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["--bundle", str(toy.path), "--port", "0", "--keys", "nowhere"])

    said = capsys.readouterr().err
    assert code == 2
    assert (
        said
        == "Error: The keys in nowhere cannot be read: No such file or directory. See docs/security.md.\n"
    )
