"""Reports: figures as Markdown for people and as JSON for programs."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from service.bench.figures import Figures
from service.bench.stages import STAGES, Costs, Point, growth

HEADINGS = {
    "closed": "connections",
    "open": "arrivals/s",
}


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines)


def cell(value: object) -> str:
    """A table's cell: three digits of a number, a dash for what is not known."""
    if value is None:
        return "–"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def load_table(runs: Sequence[Figures]) -> str:
    """A row for each run of one loop."""
    return table(
        (
            HEADINGS[runs[0].loop],
            "images",
            "images/s",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            "errors",
            "CPU ms an image",
            "RSS MB",
        ),
        (
            (
                run.offered,
                run.images,
                run.images_per_s,
                run.p50_ms,
                run.p95_ms,
                run.p99_ms,
                errors(run.errors),
                run.cpu_ms,
                run.rss_mb,
            )
            for run in runs
        ),
    )


def errors(found: Mapping[str, int]) -> str:
    """`3 x 429, 1 x timeout`, or `none`."""
    return ", ".join(f"{count} x {status}" for status, count in found.items()) or "none"


def costs_table(costs: Costs) -> str:
    """A bundle's stages."""
    return table(
        ("stage", "CPU ms"),
        [*costs.items(), ("all", sum(costs.values())), ("around the network", around(costs))],
    )


def around(costs: Costs) -> float:
    """What is not the network's."""
    return sum(cost for stage, cost in costs.items() if stage != "infer")


def curves_text(curves: Mapping[str, Sequence[Point]]) -> str:
    """A table for each curve."""
    parts = []
    for name, points in curves.items():
        stages = [stage for stage in STAGES if stage in points[0].costs]
        rows = (
            (
                point.megapixels,
                point.instances,
                point.classes,
                *(point.costs[stage] for stage in stages),
                point.total,
            )
            for point in points
        )
        head = ("megapixels", "instances", "classes", *(f"{stage} ms" for stage in stages), "all ms")
        parts.append(f"By {name}:\n\n{table(head, rows)}")
        if name == "pixels" and len(points) > 1:
            parts.append(f"The whole grows with the number of pixels to the power {growth(points):.2f}.")
    return "\n\n".join(parts)


def write_report(folder: Path, text: str, content: Any) -> None:
    """Write report.md and figures.json; the directory is made where missing.

    Args:
        content: dataclasses, mappings, sequences, strings and numbers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(text + "\n", encoding="utf-8")
    (folder / "figures.json").write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))


def flat(value: Any) -> Any:
    """A dataclass as a mapping; anything else as it is."""
    return (
        dataclasses.asdict(value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type)
        else value
    )
