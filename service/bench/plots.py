"""Pictures of a benchmark: latency and rate under load, and how the stages' cost grows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

from service.bench.figures import Figures
from service.bench.report import HEADINGS
from service.bench.stages import STAGES, Point

_SIZE = (7.0, 4.0)  # inches
_DPI = 110


def plot_load(path: Path, runs: Sequence[Figures]) -> None:
    """Draw the latencies, and the images a second, over what was offered."""
    pyplot = _pyplot()
    runs = sorted(runs, key=lambda run: run.offered)
    offered = [run.offered for run in runs]
    figure, (above, below) = pyplot.subplots(2, 1, figsize=(_SIZE[0], 6), sharex=True, layout="constrained")
    for name in ("p50", "p95", "p99"):
        above.plot(offered, [getattr(run, f"{name}_ms") for run in runs], marker="o", label=name)
    above.set(ylabel="latency, ms", ylim=(0, None))
    above.legend()
    below.plot(offered, [run.images_per_s for run in runs], marker="o")
    below.set(xlabel=HEADINGS[runs[0].loop], ylabel="images/s", ylim=(0, None))
    _save(figure, path)


def plot_curves(folder: Path, curves: Mapping[str, Sequence[Point]]) -> None:
    """Draw each curve into `NAME.png`."""
    for name, points in curves.items():
        _plot_curve(folder / f"{name}.png", name, points)


def _plot_curve(path: Path, name: str, points: Sequence[Point]) -> None:
    pyplot = _pyplot()
    what = {"pixels": "megapixels"}.get(name, name)
    x = [getattr(point, what) for point in points]
    stages = [stage for stage in STAGES if stage in points[0].costs]
    figure, axis = pyplot.subplots(figsize=_SIZE, layout="constrained")
    axis.stackplot(x, [[point.costs[stage] for point in points] for stage in stages], labels=stages)
    axis.set(xlabel=what, ylabel="CPU ms a photograph", ylim=(0, None))
    axis.legend(loc="upper left")
    _save(figure, path)


def _pyplot() -> Any:
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=_DPI)
    _pyplot().close(figure)
