"""The README's commands, run as a reader would run them.

Blocks fenced as `sh` run whole. In blocks fenced as `console` the lines after `$ ` run, and what stands below them
must be what they print, where `…` stands for anything. All run in one directory that looks like the repository and
holds a photograph `photo.jpg`; 127.0.0.1:8000 becomes a free port. A comment right above a block steers it:

    <!-- test: server -->         the block starts the server that the blocks below talk to; it is left running
    <!-- test: skip REASON -->    the block is not run, for the reason given
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(
    r"(?:^<!-- test: (?P<word>\w+) ?(?P<reason>.*?) ?-->\n+)?^```(?P<kind>sh|console)\n(?P<text>.*?)^```",
    re.M | re.S,
)
ADDRESS = "127.0.0.1:8000"
START_SECONDS = 120


@dataclass(frozen=True)
class Command:
    """What a reader types, and what the README says it prints; None where it says nothing."""

    text: str
    output: str | None = None


@dataclass(frozen=True)
class Block:
    """One fenced block; `word` is "skip", "server" or nothing."""

    commands: tuple[Command, ...]
    word: str
    reason: str


def read_blocks(markdown: str) -> list[Block]:
    """Find the blocks that a reader may run, in order."""
    blocks = []
    for match in BLOCK.finditer(markdown):
        commands = (
            console_commands(match["text"]) if match["kind"] == "console" else (Command(match["text"]),)
        )
        blocks.append(Block(commands, match["word"] or "", match["reason"] or ""))
    return blocks


def console_commands(text: str) -> tuple[Command, ...]:
    """Split `$ command` lines from what they print; a trailing backslash goes on in the next line."""
    text = re.sub(r"\\\n(> )?", "\\\n", text)
    parts = re.split(r"^\$ ((?:[^\n]*\\\n)*[^\n]*)\n", text, flags=re.M)[1:]
    return tuple(
        Command(line, output.strip() or None) for line, output in zip(parts[::2], parts[1::2], strict=True)
    )


def prints_as_told(output: str, told: str) -> bool:
    """Whether an output is what the README says; `…` stands for anything."""
    pattern = ".*".join(re.escape(part) for part in told.strip().split("…"))
    return re.fullmatch(pattern, output.strip(), re.S) is not None


class Reader:
    """A reader who works through the README in one directory, from top to bottom."""

    def __init__(self, directory: Path, blocks: list[Block]):
        self.directory = directory
        self.blocks = blocks
        self.outcomes: list[str] = []  # what was wrong with each block done so far, empty where nothing was
        self.server: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.environment = os.environ | {
            "PANOPTIC_PORT": str(self.port),
            "PANOPTIC_LAME_DUCK_S": "0",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PANOPTIC_BACKEND": "onnxruntime",  # all that `make serve` installs
        }

    def outcome(self, index: int) -> str:
        """What is wrong with a block, once all blocks above it were done."""
        while len(self.outcomes) <= index:
            self.outcomes.append(self.do(self.blocks[len(self.outcomes)]))
        return self.outcomes[index]

    def do(self, block: Block) -> str:
        """Run a block's commands until one is not as told."""
        if block.word == "skip":
            return ""
        run = self.start_server if block.word == "server" else self.run
        return next((wrong for command in block.commands if (wrong := run(command))), "")

    def run(self, command: Command) -> str:
        """Run a command to its end."""
        if re.search(r"\bmake (test|check|slow)\b|\bpytest\b|\.ci/run", command.text):
            return (
                "it would run these tests inside themselves: mark the block with <!-- test: skip REASON -->"
            )
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.here(command.text)],
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        if ended.returncode:
            return f"exit code {ended.returncode} of {command.text}\n{ended.stdout}"
        return self.compare(command, ended.stdout)

    def start_server(self, command: Command) -> str:
        """Start a command that stays, and wait until the server is ready."""
        log = self.directory / "server.log"
        with log.open("wb") as file:
            self.server = subprocess.Popen(
                ["bash", "-c", self.here(command.text)],
                cwd=README.parent,  # where `make` may have something to install
                env=self.environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        end = time.monotonic() + START_SECONDS
        while not self.ready():
            if self.server.poll() is not None or time.monotonic() > end:
                return f"no server is ready after {command.text}\n{log.read_text()}"
            time.sleep(0.1)
        return self.compare(command, log.read_text())

    def ready(self) -> bool:
        """Whether the server says that it is ready."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz").is_success
        except httpx.TransportError:
            return False

    def compare(self, command: Command, output: str) -> str:
        """Hold what was printed against what the README says."""
        if command.output is None or prints_as_told(output, self.here(command.output)):
            return ""
        return f"{command.text} printed\n{output}\nand the README says\n{self.here(command.output)}"

    def here(self, text: str) -> str:
        """The text with this run's port."""
        return text.replace(ADDRESS, f"127.0.0.1:{self.port}")

    def leave(self) -> None:
        """Stop the server, and whatever it was started through."""
        if self.server is not None and self.server.poll() is None:
            os.killpg(self.server.pid, signal.SIGTERM)
            self.server.wait(timeout=30)


BLOCKS = read_blocks(README.read_text(encoding="utf-8")) if README.exists() else []


@pytest.fixture(scope="module")
def reader(root: Path, photo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    directory = tmp_path_factory.mktemp("readme")
    for entry in root.iterdir():
        if entry.name not in {".git", "runs"}:
            (directory / entry.name).symlink_to(entry)
    shutil.copy(photo, directory / "photo.jpg")
    reader = Reader(directory, BLOCKS)
    yield reader
    reader.leave()


@pytest.mark.parametrize("index", range(len(BLOCKS)))
def test_a_block_of_the_readme_does_what_it_says(reader: Reader, index: int) -> None:
    if BLOCKS[index].word == "skip":
        pytest.skip(BLOCKS[index].reason)

    assert reader.outcome(index) == ""


@pytest.mark.parametrize("command", ["make serve", "curl", "panoptic-predict", "make test"])
def test_the_readme_shows_how_to_serve_to_ask_to_predict_and_to_test(command: str) -> None:
    assert any(command in each.text for block in BLOCKS for each in block.commands)


def test_every_mark_of_a_block_is_one_of_the_two_and_a_skip_has_its_reason() -> None:
    marks = [(block.word, bool(block.reason)) for block in BLOCKS]

    assert set(marks) <= {("", False), ("server", False), ("skip", True)}


def test_a_console_block_is_commands_and_what_they_print() -> None:
    text = "$ echo one\none\n$ echo two \\\n>   three\ntwo\nthree\n"

    assert console_commands(text) == (
        Command("echo one", "one"),
        Command("echo two \\\n  three", "two\nthree"),
    )


def test_a_block_whose_output_differs_is_found(tmp_path: Path) -> None:
    reader = Reader(tmp_path, read_blocks("```console\n$ echo 1 of 3\n1 of …\n$ echo 2\n3\n```\n"))

    assert reader.outcome(0).startswith("echo 2 printed\n2\n")


def test_a_block_that_fails_is_found(tmp_path: Path) -> None:
    reader = Reader(tmp_path, read_blocks("```sh\nfalse\necho never\n```\n"))

    assert reader.outcome(0).startswith("exit code 1")
