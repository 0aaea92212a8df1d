"""Pictures: pods over time, by each signal, beside what was needed."""

from pathlib import Path

import matplotlib as mpl
import numpy as np

from benchmarks.autoscaling.run import Outcome

SHOWN = ("diurnal day", "step, 4 times", "flash crowd, 20 times", "slow ramp, 8 times")
_POINTS = 720  # of a line


def draw(outcomes: list[Outcome], path: Path) -> None:
    """One panel for each load that is shown."""
    mpl.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(2, 2, figsize=(12, 7), layout="constrained")
    for panel, name in zip(panels.flat, SHOWN, strict=True):
        mine = [each for each in outcomes if each.scenario == name and "KEDA" not in each.signal]
        step = max(len(mine[0].pods) // _POINTS, 1)
        minutes = np.arange(0, len(mine[0].pods), step) / 60
        for each in mine:
            panel.plot(minutes, each.pods[::step], label=each.signal, linewidth=2.2 if each is mine[0] else 1)
        panel.plot(
            minutes, mine[0].needed[::step], label="oracle", color="black", linestyle=":", linewidth=1.5
        )
        panel.set(title=name, xlabel="minutes", ylabel="pods")
    panels[0, 0].legend(fontsize=8)
    figure.savefig(path, dpi=90, metadata={"Software": None})
    pyplot.close(figure)
