"""Draw docs/images/merging.svg: the three facts by which merging does less and finds the same.

All that is drawn is computed here, from cells and centers made up for the picture.
"""

from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

PICTURE = Path(__file__).parent / "images" / "merging.svg"
BLUE, ORANGE, GREEN, GRAY = "#4c72b0", "#dd8452", "#55a868", "#d8d8d8"
ACROSS = np.linspace(0, 1, 60)  # from one cell to the next


def main() -> None:
    """Write the picture, the same bytes every time."""
    mpl.rcParams.update({"svg.hashsalt": "merging", "svg.fonttype": "none"})
    plt.rc("axes", titlesize=10)
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    _classes(axes[0])
    _heat(axes[1])
    _centers(axes[2])
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, metadata={"Date": None})


def _classes(axes: Axes) -> None:
    """Logits between two cells: what leads at both ends leads all along."""
    for ends, color, name in (
        ((3.0, 2.2), BLUE, "road"),
        ((1.4, 1.9), ORANGE, "car"),
        ((0.3, 0.9), GREEN, "sky"),
    ):
        axes.plot(ACROSS, _between(*ends), color=color, label=name)
        axes.plot((0, 1), ends, "o", color=color)
    axes.set_title("1  The class that leads at every cell\nleads at every pixel between")
    axes.set_xticks((0, 1), ("cell", "next cell"))
    axes.set_ylabel("logit")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.28), fontsize="small")


def _heat(axes: Axes) -> None:
    """Heat between cells: no pixel is hotter than the hottest cell around it."""
    heat = np.array((0.02, 0.05, 0.04, 0.55, 0.3, 0.06))
    axes.axhline(0.1, color="black", linestyle=":", label="threshold")
    for cell, (low, high) in enumerate(pairwise(heat)):
        cold = max(low, high) <= 0.1
        axes.plot(
            cell + ACROSS, _between(low, high), color=GRAY if cold else ORANGE, linewidth=4 if cold else 2
        )
    axes.plot(range(len(heat)), heat, "o", color="black")
    axes.set_title("2  Where no cell is above the threshold,\nno pixel is: gray parts are not looked at")
    axes.set_xticks(range(len(heat)), ["cell"] * len(heat))
    axes.set_ylabel("heat")
    axes.legend(loc="upper left")


def _centers(axes: Axes) -> None:
    """Votes of four cells: the votes of all pixels between lie inside, and so does a center's region."""
    centers = np.array(((2.0, 2.0), (7.0, 3.0), (4.5, 7.5)))
    x, y = np.meshgrid(np.linspace(0, 9, 100), np.linspace(0, 9, 100))
    nearest = np.hypot(x[..., None] - centers[:, 0], y[..., None] - centers[:, 1]).argmin(axis=-1)
    axes.contourf(x, y, nearest, levels=(-0.5, 0.5, 1.5, 2.5), colors=(BLUE, ORANGE, GREEN), alpha=0.3)
    axes.plot(*centers.T, "k*", markersize=12)
    for votes in (
        ((1.0, 1.2), (2.9, 0.9), (3.2, 3.4), (1.3, 2.9)),
        ((5.2, 5.4), (6.8, 5.0), (7.4, 6.6), (5.5, 6.9)),
    ):
        corners = np.array(votes)
        axes.fill(*corners.T, facecolor="white", edgecolor="black")
        pixels = _inside(corners)
        axes.plot(*pixels.T, ".", color="black", markersize=4)
    axes.set_title("3  Cells whose votes share a center: so do\nall pixels between. Others go one by one")
    axes.set_xticks(())
    axes.set_yticks(())


def _between(low: float, high: float) -> NDArray[np.float64]:
    return low * (1 - ACROSS) + high * ACROSS


def _inside(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """The votes of a block's 16 pixels: mixtures of its corners'."""
    weights = np.array((0.125, 0.375, 0.625, 0.875))
    top = corners[0] + weights[:, None] * (corners[1] - corners[0])
    bottom = corners[3] + weights[:, None] * (corners[2] - corners[3])
    return np.concatenate([top * (1 - weight) + bottom * weight for weight in weights])


if __name__ == "__main__":
    main()
