"""Pictures of an evaluation: every class's figures, and which classes are taken for which."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np

from model.bundle import CategorySpec
from service.evaluation.measures import Figures

_ROW = 0.32  # inches a class
_DPI = 110


def plot_classes(path: Path, figures: Figures) -> None:
    """Draw PQ, IoU and AP of every class as bars, in percent."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = figures.counted
    figure, axis = pyplot.subplots(figsize=(8, 1.5 + _ROW * len(rows)), layout="constrained")
    for place, (what, title) in enumerate((("pq", "PQ"), ("iou", "IoU"), ("ap", "AP"))):
        values = [100 * (getattr(row, what) or 0.0) for row in rows]
        axis.barh(np.arange(len(rows)) + 0.27 * (place - 1), values, height=0.27, label=title)
    axis.set(yticks=range(len(rows)), yticklabels=[row.name for row in rows], xlim=(0, 100), xlabel="percent")
    axis.invert_yaxis()
    axis.legend()
    figure.savefig(path, dpi=_DPI)
    pyplot.close(figure)


def plot_confusion(path: Path, figures: Figures, categories: Sequence[CategorySpec]) -> None:
    """Draw the share of each true class's pixels that was given to each class."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    pixels = figures.confusion.astype(np.float64)
    shares = pixels / np.maximum(pixels.sum(axis=1, keepdims=True), 1)
    names = [category.name for category in categories]
    side = 2.5 + _ROW * len(names)
    figure, axis = pyplot.subplots(figsize=(side + 1, side), layout="constrained")
    image = axis.imshow(100 * shares, vmin=0, vmax=100, cmap="viridis")
    axis.set(
        xticks=range(len(names)),
        yticks=range(len(names)),
        yticklabels=names,
        xlabel="answered",
        ylabel="true",
    )
    axis.set_xticklabels(names, rotation=90)
    figure.colorbar(image, label="percent of the true class's pixels")
    figure.savefig(path, dpi=_DPI)
    pyplot.close(figure)
