"""What a comparison prints: a table in Markdown, and all of it as JSON."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers.rounds import Figures, Turn

BEGIN, END = "<!-- peers {}: begin -->", "<!-- peers {}: end -->"
HEAD = (
    "| server | images/s | ours is | p50 ms | p99 ms | CPU ms an image | of ours | memory MB | start s | "
    "same pixels | errors |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


class NoPlace(Exception):
    """A page has no markers for a table."""


@dataclass(frozen=True)
class Conditions:
    """What was asked, and of which machine."""

    graph: str
    merging: str  # of the peers: `own` or `input`
    runtime: str  # of the peers, as the usual handler knows it
    engine: str  # of ours
    size: tuple[int, int]  # rows, columns of photograph and input
    connections: int
    rounds: int
    seconds: float
    date: str
    processor: str
    cores: int
    load: tuple[float, float]  # of the machine in the minute before, at the start and at the end


@dataclass(frozen=True)
class Report:
    """A comparison."""

    conditions: Conditions
    titles: Mapping[str, str]  # by server
    figures: Sequence[Figures]  # ours first
    start_s: Mapping[str, float]  # by server, to the first answer
    agreement: Mapping[str, float]  # by server, share of pixels of our category
    skipped: Mapping[str, str]  # by server, the reason
    turns: Sequence[Turn] = ()


def to_json(report: Report) -> str:
    """All of it; latencies are left to the percentiles."""
    document = dataclasses.asdict(report)
    for turn in document["turns"]:
        turn["answers"] = len(turn.pop("latencies_ms"))
    document["figures"], document["turns"] = (
        [_known(row) for row in document[name]] for name in ("figures", "turns")
    )
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def to_markdown(report: Report) -> str:
    """The conditions in a sentence, the table, and who is missing and why."""
    about = report.conditions
    lines = [
        f"`{about.graph}`, {about.size[0]}×{about.size[1]}, {about.connections} connections, medians of "
        f"{about.rounds} rounds of {about.seconds:g} s; peers compute by {_named(about.runtime)} and merge at "
        f"{_merged(about.merging)}, ours computes by {about.engine}. {about.date}, {about.processor}, "
        f"{about.cores} cores, load {about.load[0]:.1f} before and "
        f"{about.load[1]:.1f} after.",
        "",
        HEAD,
        *(_row(report, figures) for figures in report.figures),
    ]
    if report.skipped:
        lines += [
            "",
            *(f"- {report.titles[name]} was left out: {why}." for name, why in report.skipped.items()),
        ]
    return "\n".join(lines) + "\n"


def write_into(page: Path, name: str, table: str) -> None:
    """Put a table between its markers on a page.

    Raises: NoPlace: the page has no such markers.
    """
    text = page.read_text(encoding="utf-8")
    begin, end = BEGIN.format(name), END.format(name)
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise NoPlace(f"{page} has no lines {begin} and {end} for the table; put both where it belongs.")
    page.write_text(f"{before}{begin}\n{table}{end}{after}", encoding="utf-8")


def _known(row: dict[str, Any]) -> dict[str, Any]:
    """None for what is not a number, which JSON cannot write."""
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()
    }


def _merged(merging: str) -> str:
    return "the input's size" if merging == "input" else "the heads' size"


def _named(runtime: str) -> str:
    return "OpenVINO" if runtime == "openvino" else "ONNX Runtime"


def _row(report: Report, row: Figures) -> str:
    cells = (
        report.titles[row.server],
        f"{row.images_per_s:.1f}",
        f"{1 / row.ratio:.2f}×",
        f"{row.p50_ms:.0f}",
        f"{row.p99_ms:.0f}",
        f"{row.cpu_ms_per_image:.1f}",
        f"{row.cpu_ratio:.2f}×",
        f"{row.pss_mb:.0f}",
        f"{report.start_s[row.server]:.1f}",
        f"{report.agreement[row.server]:.1%}",
        f"{row.errors}",
    )
    return f"| {' | '.join(cells)} |"
