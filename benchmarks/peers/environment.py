"""A peer's own environment: made by one command under build/peers, so that nothing of it touches ours."""

import json
import shutil
import subprocess
from pathlib import Path

from benchmarks.peers.catalogue import Peer

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "peers"
SERVERS = Path(__file__).parent / "servers"
MARK = "requirements.json"  # stands in an environment that is whole


class Missing(Exception):
    """A peer cannot be run; the message says why, and what to do."""


def install(peer: Peer, python: str) -> Path:
    """Make the peer's environment with an interpreter, unless it stands already; returns its folder of programs.

    Raises: Missing: something could not be installed; the reason is the first error that pip tells.
    """
    folder = FOLDER / peer.name
    if _is_whole(peer):
        return folder / "bin"
    shutil.rmtree(folder, ignore_errors=True)
    _call([python, "-m", "venv", str(folder)])
    _call([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *peer.requirements])
    (folder / MARK).write_text(json.dumps(peer.requirements), encoding="utf-8")
    return folder / "bin"


def programs(peer: Peer) -> Path:
    """The folder of an installed peer's programs.

    Raises: Missing: it is not installed, or what it requires has changed since.
    """
    if not _is_whole(peer):
        raise Missing(f"not installed; do so with `python -m benchmarks.peers install {peer.name}`")
    return FOLDER / peer.name / "bin"


def _is_whole(peer: Peer) -> bool:
    mark = FOLDER / peer.name / MARK
    return mark.is_file() and json.loads(mark.read_text(encoding="utf-8")) == list(peer.requirements)


def _call(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    except FileNotFoundError as error:
        raise Missing(f"there is no interpreter {command[0]}") from error
    except subprocess.CalledProcessError as error:
        lines = error.stderr.splitlines() or ["no reason told"]
        told = next((line for line in lines if line.startswith("ERROR")), lines[-1])
        raise Missing(f"it does not install: {told}") from error
