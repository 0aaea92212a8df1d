"""Figures and curves for people: Markdown tables and one picture."""

import csv
from pathlib import Path

from model.training.loop import CURVES, VALIDATION
from model.training.validation import Figures

COMMON = ("road", "sidewalk", "building", "vegetation", "sky", "person", "car")
"""Classes that most street data sets label, for a mean that compares across them."""


def figures_table(name: str, figures: Figures) -> str:
    """One data set's figures as a Markdown table, in percent, with the means over its classes and the common ones."""
    shown = [c.name for c in figures.classes]
    common = tuple(name for name in COMMON if name in shown)
    lines = [f"| {name} | IoU | PQ | SQ | RQ | segments |", "| --- | --: | --: | --: | --: | --: |"]
    for c in figures.classes:
        lines.append(f"| {c.name} | {_percents(c.iou, c.pq, c.sq, c.rq)} | {c.segments} |")
    for title, names in (
        (f"mean of {len(shown)}", tuple(shown)),
        (f"mean of the {len(common)} common", common),
    ):
        means = (figures.mean(what, names) for what in ("iou", "pq", "sq", "rq"))
        total = sum(c.segments for c in figures.classes if c.name in names)
        lines.append(f"| **{title}** | {_percents(*means)} | {total} |")
    return "\n".join(lines) + "\n"


def plot_curves(out: Path) -> None:
    """Draw the losses and the validations of a run into `curves.png`."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    curves = _columns(out / CURVES)
    validation = _columns(out / VALIDATION)
    figure, axes = pyplot.subplots(2, 2, figsize=(11, 7), layout="constrained")
    steps = [int(step) for step in curves["step"]]
    for axis, name in zip(axes.flat, ("semantic", "center", "offset"), strict=False):
        axis.plot(steps, _smooth([float(value) for value in curves[name]]), linewidth=1)
        axis.set(title=f"{name} loss", xlabel="step", yscale="log")
    for name in dict.fromkeys(validation["data"]):
        rows = [i for i, found in enumerate(validation["data"]) if found == name]
        at = [int(validation["step"][i]) for i in rows]
        for what, style in (("iou", "-o"), ("pq", "--o")):
            axes[1, 1].plot(
                at, [100 * float(validation[what][i]) for i in rows], style, label=f"{name} {what}"
            )
    axes[1, 1].set(title="validation, percent", xlabel="step")
    axes[1, 1].legend(fontsize=7)
    figure.savefig(out / "curves.png", dpi=110)
    pyplot.close(figure)


def _percents(*values: float) -> str:
    return " | ".join(f"{100 * value:.1f}" for value in values)


def _columns(path: Path) -> dict[str, list[str]]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {key: [row[key] for row in rows] for key in (rows[0] if rows else {})}


def _smooth(values: list[float], window: int = 50) -> list[float]:
    """Running mean over the last `window` values."""
    smooth, total = [], 0.0
    for i, value in enumerate(values):
        total += value - (values[i - window] if i >= window else 0.0)
        smooth.append(total / min(i + 1, window))
    return smooth
