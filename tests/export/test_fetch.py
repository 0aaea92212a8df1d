"""Published weights are fetched once, taken up where they broke off, and told of where they cannot be had."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from export import ExportError, cli
from export.fetch import default_cache, fetch, find_publication
from model.checkpoints.zoo import ZOO, Publication
from model.variants import VARIANTS

CONTENT = bytes(range(256)) * 4096  # 1 MiB
HALF = len(CONTENT) // 2


class Server(ThreadingHTTPServer):
    """Serves CONTENT under /weights.pkl, and breaks off in its middle as often as it is told."""

    breaks = 0
    ranges: list[str | None]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.ranges.append(self.headers.get("Range"))
        if self.path != "/weights.pkl":
            self.send_error(404)
            return
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.send_header("ETag", '"one"')
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.end_headers()
        end = len(CONTENT)
        if self.server.breaks:
            self.server.breaks -= 1
            end = start + HALF
        self.wfile.write(CONTENT[start:end])

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.ranges = []
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def published(server: Server) -> Callable[[str], Publication]:
    return lambda name: Publication("toy", f"http://127.0.0.1:{server.server_port}/{name}", "none", "none")


def test_a_file_is_fetched_whole_with_a_progress_bar(
    published: Callable[[str], Publication], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = fetch(published("weights.pkl"), tmp_path / "deep" / "cache")

    assert path == tmp_path / "deep" / "cache" / "toy.pkl"
    assert path.read_bytes() == CONTENT
    assert "100%" in capsys.readouterr().err


def test_a_file_that_is_there_is_not_fetched_again(
    published: Callable[[str], Publication], server: Server, tmp_path: Path
) -> None:
    (tmp_path / "toy.pkl").write_bytes(b"put here by hand")

    path = fetch(published("weights.pkl"), tmp_path)

    assert path.read_bytes() == b"put here by hand"
    assert server.ranges == []


def test_a_download_that_breaks_off_goes_on_where_it_was(
    published: Callable[[str], Publication], server: Server, tmp_path: Path
) -> None:
    server.breaks = 1

    path = fetch(published("weights.pkl"), tmp_path, retries=1)

    assert path.read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={HALF}-"]


def test_a_second_call_goes_on_where_the_first_one_ended(
    published: Callable[[str], Publication], server: Server, tmp_path: Path
) -> None:
    server.breaks = 1
    with pytest.raises(ExportError, match="incomplete"):
        fetch(published("weights.pkl"), tmp_path, retries=0)
    assert not (tmp_path / "toy.pkl").exists()

    path = fetch(published("weights.pkl"), tmp_path, retries=0)

    assert path.read_bytes() == CONTENT
    assert server.ranges[-1] == f"bytes={HALF}-"


def test_a_file_that_is_gone_is_told_with_what_to_do(
    published: Callable[[str], Publication], tmp_path: Path
) -> None:
    publication = published("gone.pkl")

    with pytest.raises(ExportError) as caught:
        fetch(publication, tmp_path)

    assert str(caught.value) == (
        f"the weights toy could not be fetched (the server answered 404). Fetch {publication.url} by hand and put it"
        f" at {tmp_path / 'toy.pkl'}, or give the file as CHECKPOINT."
    )
    assert list(tmp_path.iterdir()) == []


def test_offline_is_told_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, but nobody listens
        publication = Publication(
            "toy", f"http://127.0.0.1:{closed.getsockname()[1]}/weights.pkl", "none", "none"
        )

        with pytest.raises(
            ExportError, match=r"\(the server cannot be reached\)\. Fetch http://127"
        ) as caught:
            fetch(publication, tmp_path, retries=0)

    assert "\n" not in str(caught.value)


def test_a_folder_of_files_is_left_to_a_person(tmp_path: Path) -> None:
    with pytest.raises(
        ExportError, match=r"a folder, .* Fetch https://drive\.google\.com/drive/folders/\w+ by hand"
    ):
        fetch(ZOO["hrnet48-os4"], tmp_path)


def test_unknown_weights_are_told_with_those_there_are() -> None:
    with pytest.raises(
        ExportError, match=r"no published weights 'r9000'; there are hrnet48, .*, xception65-os32\."
    ):
        find_publication("r9000")


def test_every_published_variant_but_one_that_nobody_linked_has_its_address() -> None:
    published = {variant.name for variant in VARIANTS.values() if variant.published is not None}

    assert published - ZOO.keys() == {"r50-dc5"}
    assert ZOO.keys() <= published


def test_the_cache_is_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    assert default_cache() == tmp_path / "panoptic-service" / "weights"


@pytest.mark.parametrize("arguments", [[], ["a.pth", "--weights", "r52-dc5"]], ids=["neither", "both"])
def test_the_command_takes_a_file_or_a_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["panoptic-export", *arguments, "--out", "b"])

    with pytest.raises(SystemExit) as ending:
        cli.main()

    assert ending.value.code == 2
    assert "Give either CHECKPOINT, a weights file, or --weights NAME." in capsys.readouterr().err
