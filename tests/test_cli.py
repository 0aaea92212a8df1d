"""The commands: each explains itself, and a mistake ends in one plain sentence and exit code 2."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
COMMANDS: dict[str, str] = PROJECT["scripts"]
LACKING = {
    "panoptic-serve": ["--bundle", "no-such-thing"],
    "panoptic-predict": ["no-such-thing", "--out", "out"],
    "panoptic-evaluate": ["no-such-thing", "no-such-data"],
    "panoptic-bench": ["closed", "127.0.0.1:9", "no-such-thing"],
    "panoptic-export": ["no-such-thing", "--out", "out"],
    "panoptic-train": ["--out", "out", "--data", "no-such-thing"],
}


def run(command: str, *arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a console command through its entry point, as its script would."""
    module, function = COMMANDS[command].split(":")
    script = f"import sys; from {module} import {function}; sys.argv[0] = {command!r}; sys.exit({function}())"
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=directory,
        env={
            "PYTHONPATH": str(Path(__file__).parent.parent),
            "PATH": "/usr/bin:/bin",
            "HOME": str(directory),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_a_command_is_for_and_lists_its_options(command: str, tmp_path: Path) -> None:
    ended = run(command, "--help", directory=tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"sage: {command}" in ended.stdout
    assert ended.stdout.count("--") >= 3


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_option_ends_in_one_sentence_and_exit_code_2(command: str, tmp_path: Path) -> None:
    ended = run(command, "--no-such-option", directory=tmp_path)

    assert ended.returncode == 2
    assert "--no-such-option" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_is_not_there_ends_in_one_sentence_and_exit_code_2(command: str, tmp_path: Path) -> None:
    ended = run(command, *LACKING[command], directory=tmp_path)

    assert ended.returncode == 2, ended.stderr
    assert "no-such-thing" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
