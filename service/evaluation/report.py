"""The report of an evaluation: `report.json` for programs, `report.md` for people."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from model.bundle import Bundle
from service.evaluation.answering import LeftOut
from service.evaluation.measures import ClassFigures, Figures
from service.evaluation.truth import DataSet
from service.pipeline.encode import to_json

REPORT_JSON, REPORT_MD = "report.json", "report.md"
LIBRARIES = (
    "hotcoco",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "simplejpeg",
)  # what the figures depend on
_MEASURES = ("pq", "sq", "rq", "iou", "ap")


@dataclass(frozen=True)
class Setting:
    """What was evaluated on what, and how it was asked for."""

    bundle: Bundle
    engine: str  # what ran it
    data: DataSet
    mapping: str  # "curriculum: data set", empty without one
    command: str


def write_report(path: Path, setting: Setting, figures: Figures, left_out: Sequence[LeftOut]) -> None:
    """Write both reports; figures are 0 to 1 in the one, percent in the other."""
    document = _document(setting, figures, left_out)
    (path / REPORT_JSON).write_bytes(to_json(document, indent=True) + b"\n")
    (path / REPORT_MD).write_text(_page(setting, figures, left_out), encoding="utf-8")


def headline(figures: Figures) -> str:
    """The means as a Markdown table, in percent."""
    lines = ["| | PQ | SQ | RQ | mIoU | AP |", "| --- | --: | --: | --: | --: | --: |"]
    for title, isthing in (("all", None), ("things", True), ("stuff", False)):
        values = [percent(figures.mean(what, isthing)) for what in _MEASURES]
        lines.append(f"| {title} | {' | '.join(values)} |")
    return "\n".join(lines) + "\n"


def percent(value: float | None) -> str:
    """One place after the point; a dash where there is nothing to judge."""
    return "–" if value is None else f"{100 * value:.1f}"


def _document(setting: Setting, figures: Figures, left_out: Sequence[LeftOut]) -> dict[str, Any]:
    manifest = setting.bundle.manifest
    means = {
        title: {what: figures.mean(what, isthing) for what in _MEASURES}
        for title, isthing in (("all", None), ("things", True), ("stuff", False))
    }
    return {
        "bundle": {"name": manifest.name, "version": manifest.version, "digest": setting.bundle.digest},
        "engine": setting.engine,
        "data": {
            "path": str(setting.data.path),
            "layout": setting.data.layout,
            "mapping": setting.mapping or None,
        },
        "command": setting.command,
        "libraries": {name: version(name) for name in LIBRARIES},
        "photographs": figures.photographs,
        "left_out": [asdict(each) for each in left_out],
        "means": {**means, "ap50": figures.ap50, "over": [row.name for row in figures.counted]},
        "classes": [asdict(row) for row in figures.classes],
        "confusion": {
            "about": "pixels; a row a class of the truth, a column a predicted class",
            "classes": [category.name for category in manifest.categories],
            "pixels": figures.confusion.tolist(),
        },
    }


def _page(setting: Setting, figures: Figures, left_out: Sequence[LeftOut]) -> str:
    manifest = setting.bundle.manifest
    through = f", mapped by {setting.mapping}" if setting.mapping else ""
    parts = [
        f"# {manifest.name} {manifest.version} on {setting.data.path.name}\n",
        f"{figures.photographs} photographs of `{setting.data.path}` (layout {setting.data.layout}{through}), "
        f"bundle `{setting.bundle.digest}`, run by {setting.engine}.\n",
        f"```\n{setting.command}\n```\n",
        f"In percent, over {len(figures.counted)} classes; AP at IoU 0.5: {percent(figures.ap50)}.\n",
        headline(figures),
        _classes(figures.counted),
    ]
    if outside := [row.name for row in figures.classes if row not in figures.counted and row.invented]:
        parts.append(f"Answered, though the truth shows none: {', '.join(outside)}. They are in no mean.\n")
    if left_out:
        parts.append(f"## Left out: {len(left_out)}\n")
        parts.append("\n".join(f"- {each.name}: {each.why}" for each in left_out) + "\n")
    parts.append("![Figures of the classes](classes.png)\n\n![Confusion of the classes](confusion.png)\n")
    return "\n".join(parts)


def _classes(rows: Sequence[ClassFigures]) -> str:
    lines = [
        "| class | PQ | SQ | RQ | IoU | AP | matched | missed | invented |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for row in rows:
        values = [percent(getattr(row, what)) for what in _MEASURES]
        lines.append(f"| {row.name} | {' | '.join(values)} | {row.matched} | {row.missed} | {row.invented} |")
    return "\n".join(lines) + "\n"
