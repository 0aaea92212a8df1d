"""The catalogue, what is sent, what is counted, and what the command prints."""

import dataclasses
import http.server
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from benchmarks.peers import environment, processes
from benchmarks.peers.answers import NoAnswer, read_answer
from benchmarks.peers.catalogue import PEERS, Peer, UnknownPeer, find_peers
from benchmarks.peers.environment import Missing
from benchmarks.peers.load import Request, closed_loop
from benchmarks.peers.report import Conditions, NoPlace, Report, to_json, to_markdown, write_into
from benchmarks.peers.rounds import Turn, sum_up
from benchmarks.peers.server import launch_peer, packed

SERVERS = sorted(environment.SERVERS.glob("*.py"))


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers 200 and 500 in turn."""

    protocol_version = "HTTP/1.1"
    asked = 0

    def do_POST(self) -> None:
        type(self).asked += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200 if self.asked % 2 else 500)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_the_command_tells_an_unknown_peer_in_one_sentence_and_exit_code_2() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.peers", "run", "nginx"],
        capture_output=True,
        text=True,
        check=False,
        cwd=environment.ROOT,
    )

    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr


def test_no_names_are_all_peers_in_order() -> None:
    assert find_peers(()) == PEERS


def test_an_unknown_name_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(UnknownPeer, match=r"nginx.*fastapi.*pytriton"):
        find_peers(["nginx", "mosec"])


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_every_peer_starts_a_file_that_is_there(peer: Peer) -> None:
    named = {part.rpartition("/")[2].partition(":")[0].removesuffix(".py") for part in peer.command}

    assert named & {path.stem for path in SERVERS}


def test_a_peer_that_is_not_installed_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "FOLDER", tmp_path)

    with pytest.raises(Missing, match=r"python -m benchmarks\.peers install fastapi"):
        launch_peer(PEERS[0], tmp_path, b"")


def test_a_peer_whose_requirements_have_changed_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "FOLDER", tmp_path)
    (tmp_path / PEERS[0].name).mkdir()
    (tmp_path / PEERS[0].name / environment.MARK).write_text(json.dumps(["another"]))

    with pytest.raises(Missing):
        environment.programs(PEERS[0])


def test_an_interpreter_that_is_not_there_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "FOLDER", tmp_path)

    with pytest.raises(Missing, match="no interpreter"):
        environment.install(PEERS[0], str(tmp_path / "python"))


def test_a_tensor_of_bytes_is_told_with_its_length() -> None:
    body, headers = packed(b"jpeg", "infer")
    head = json.loads(body[: int(headers["Inference-Header-Content-Length"])])

    assert head["inputs"][0]["parameters"]["binary_data_size"] == len(body) - len(json.dumps(head)) == 8


def test_a_form_has_the_photograph_as_its_part_image() -> None:
    body, _ = packed(b"jpeg", "form")

    assert b'name="image"' in body and b"\r\n\r\njpeg\r\n--" in body


def test_every_request_of_the_load_wants_a_run_of_its_own() -> None:
    head, _, body = Request(80, "/path", b"body", {"Content-Type": "x"}).written().partition(b"\r\n\r\n")

    assert head.splitlines()[0] == b"POST /path HTTP/1.1"
    assert {b"Cache-Control: no-cache", b"Content-Length: 4", b"Content-Type: x"} < set(head.splitlines())
    assert body == b"body"


def test_the_load_counts_answers_and_failures_apart(port: int) -> None:
    load = closed_loop(Request(port, "/", b"body", {}), connections=1, seconds=0.3)

    assert load.latencies_ms and set(load.errors) == {"500"}


@pytest.fixture
def process() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A process, asleep, with the mark that it bears."""
    mark = f"test-{os.getpid()}"
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"],
        env={**os.environ, processes.MARK: mark},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield mark, process
    process.kill()
    process.communicate()


def test_processes_are_found_by_their_mark_and_ended(process: tuple[str, subprocess.Popen[bytes]]) -> None:
    mark, marked = process
    found, memory = processes.marked(mark), processes.memory(mark)
    processes.end(mark, patience_s=0.5)

    assert found == (marked.pid,) and memory.rss >= memory.pss > 0 and marked.wait() != 0


def test_a_paused_process_stands_still_until_it_is_resumed(
    process: tuple[str, subprocess.Popen[bytes]],
) -> None:
    mark, marked = process
    processes.pause(mark)
    assert comes_to(marked.pid, psutil.STATUS_STOPPED)
    processes.resume(mark)
    assert comes_to(marked.pid, psutil.STATUS_SLEEPING)


def comes_to(pid: int, status: str) -> bool:
    """Whether a process has a status within some seconds."""
    limit = time.monotonic() + 10
    while psutil.Process(pid).status() != status and time.monotonic() < limit:
        time.sleep(0.01)
    return psutil.Process(pid).status() == status


def test_a_paused_process_is_ended_as_it_would_end_itself(
    process: tuple[str, subprocess.Popen[bytes]],
) -> None:
    mark, marked = process
    processes.pause(mark)
    processes.end(mark, patience_s=30)

    assert marked.wait() == -signal.SIGTERM


def test_what_is_no_answer_is_told() -> None:
    with pytest.raises(NoAnswer):
        read_answer(b'{"detail": "Not Found"}')


def report() -> Report:
    memory = processes.Memory(200, 100)
    turns = [
        Turn("ours", 0, 50, (10.0, 20.0), 8, memory),
        Turn("fastapi", 0, 10, (90.0, 100.0), 40, memory, {"status 500": 1}),
    ]
    return Report(
        Conditions(
            "null",
            "own",
            "openvino",
            "a runtime in fp32",
            (512, 1024),
            8,
            1,
            5,
            "2026-01-01",
            "a processor",
            2,
            (0.5, 1.5),
        ),
        {"ours": "this service", "fastapi": "FastAPI", "mosec": "Mosec"},
        sum_up(turns, "ours"),
        {"ours": 1.0, "fastapi": 2.0},
        {"ours": 1.0, "fastapi": 0.975},
        {"mosec": "it did not start"},
        turns,
    )


def test_the_table_tells_how_much_quicker_ours_is() -> None:
    assert "| FastAPI | 10.0 | 5.00× | 90 | 100 | 40.0 | 5.00× | 100 | 2.0 | 97.5% | 1 |" in to_markdown(
        report()
    )


def test_what_computes_is_told_of_both_sides() -> None:
    assert "peers compute by OpenVINO and merge at the heads' size, ours computes by a runtime in fp32." in (
        to_markdown(report())
    )


def test_who_was_left_out_is_told_with_the_reason() -> None:
    assert "- Mosec was left out: it did not start." in to_markdown(report())


def test_the_json_holds_every_turn() -> None:
    turns = json.loads(to_json(report()))["turns"]

    assert [(row["server"], row["answers"]) for row in turns] == [("ours", 2), ("fastapi", 2)]


def test_a_server_without_answers_is_null_in_the_json(port: int) -> None:
    load = closed_loop(Request(port, "/", b"body", {}), connections=1, seconds=0.2)
    dead = Turn("fastapi", 0, 0, (), math.nan, processes.Memory(2, 1), load.errors)
    found = dataclasses.replace(report(), turns=[dead], figures=sum_up([dead], "ours"))

    assert json.loads(to_json(found))["figures"][0]["ratio"] is None


def test_a_page_without_markers_is_told_which_it_lacks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("no place\n")

    with pytest.raises(NoPlace, match="peers null-own-auto: begin"):
        write_into(page, "null-own-auto", "new\n")

    assert page.read_text() == "no place\n"


def test_a_table_takes_its_place_between_its_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- peers null-own: begin -->\nold\n<!-- peers null-own: end -->\nafter\n")

    write_into(page, "null-own", "new\n")

    assert (
        page.read_text()
        == "before\n<!-- peers null-own: begin -->\nnew\n<!-- peers null-own: end -->\nafter\n"
    )
