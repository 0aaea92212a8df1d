"""How good bundles are on labelled photographs, as `panoptic-evaluate` judges them, and what a shorter format may lose.

The command is run, not imported: export and service know each other by bundles and by what their commands print.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export import ExportError
from model.bundle import Bundle, Figures, Quality

EVALUATE = (sys.executable, "-m", "service.evaluate")
REPORT = "report.json"
SETTINGS = "PANOPTIC_"  # how names of variables begin that would set another engine


@dataclass(frozen=True)
class Jury:
    """Labelled photographs, and what may be lost on them."""

    data: Path  # a data set in a layout that panoptic-evaluate reads
    mapping: tuple[str, str] | None  # curriculum, and its part for this data set
    limit: int | None  # judge only the first photographs
    max_loss: float  # points of 100 that PQ and mIoU may lose, each


Evaluate = Callable[[Bundle, Jury], dict[str, Any]]  # gives what stands in report.json


def judge(jury: Jury, source: Bundle, shorter: Bundle, evaluate: Evaluate | None = None) -> Quality:
    """Judge both bundles on the same photographs.

    Raises: ExportError: the shorter format loses more than the jury allows, or nothing could be judged.
    """
    before, after = ((evaluate or run_evaluate)(bundle, jury) for bundle in (source, shorter))
    if before["photographs"] != after["photographs"]:
        raise ExportError(
            f"{before['photographs']} photographs of {jury.data} could be judged in {source.precision} and "
            f"{after['photographs']} in {shorter.precision}: such figures cannot be compared. Mend the data set."
        )
    quality = Quality(
        data=_words(jury),
        photographs=before["photographs"],
        graph=_figures(jury, after),
        source=_figures(jury, before),
        max_loss=jury.max_loss,
    )
    if max(losses(quality)) > jury.max_loss:
        raise ExportError(
            f"{shorter.precision} loses more than --max-loss {jury.max_loss:g} allows: {told(quality)}. No bundle was "
            "written; see --keep."
        )
    return quality


def losses(quality: Quality) -> tuple[float, float]:
    """Points of 100 of PQ and of mIoU that were lost; below 0 where they were won."""
    graph, source = quality.graph, quality.source
    return 100 * (source.pq - graph.pq), 100 * (source.miou - graph.miou)


def told(quality: Quality) -> str:
    """Both figures in words, in points of 100."""
    graph, source = quality.graph, quality.source
    return (
        f"PQ {100 * graph.pq:.2f} after {100 * source.pq:.2f}, mIoU {100 * graph.miou:.2f} after "
        f"{100 * source.miou:.2f}, on {quality.photographs} photographs of {quality.data}"
    )


def run_evaluate(bundle: Bundle, jury: Jury) -> dict[str, Any]:
    """Run `panoptic-evaluate` by ONNX Runtime on the processor, and read its report.

    Raises: ExportError: it gave none; the message is its own.
    """
    with tempfile.TemporaryDirectory() as out:
        command = [*EVALUATE, str(bundle.path), str(jury.data), "--out", out, "--backend", "onnxruntime"]
        command += ["--limit", str(jury.limit)] if jury.limit else []
        command += _mapping(jury.mapping)
        ended = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment())
        report = Path(out) / REPORT
        if not report.is_file():
            words = ended.stderr.strip().splitlines() or [f"it ended with {ended.returncode}"]
            raise ExportError(f"{bundle.path.name} could not be judged: {words[-1].removeprefix('Error: ')}")
        return json.loads(report.read_bytes())


def _mapping(mapping: tuple[str, str] | None) -> Sequence[str]:
    return () if mapping is None else ("--curriculum", mapping[0], "--data-set", mapping[1])


def _environment() -> dict[str, str]:
    """That of this process, without settings of a service."""
    return {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}


def _words(jury: Jury) -> str:
    """The data set by the end of its path, which names no machine."""
    name = "/".join(jury.data.resolve().parts[-2:])
    return f"{name}, mapped by {': '.join(jury.mapping)}" if jury.mapping else name


def _figures(jury: Jury, report: dict[str, Any]) -> Figures:
    means = report["means"]["all"]
    if means["pq"] is None or means["iou"] is None:
        raise ExportError(
            f"{jury.data} shows no class of the bundle, so there is no figure to hold. Give other data."
        )
    return Figures(pq=means["pq"], miou=means["iou"])
