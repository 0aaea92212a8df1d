"""Draw docs/images/dashboard.png: the dashboard's panels, as a real Prometheus answers them for a loaded server.

`python -m benchmarks.dashboard PHOTO…` serves the embedded model, lets Prometheus scrape and record it (with the
configuration and the rules of docker/prometheus, only more often), loads it, and asks for every expression of
k8s/components/monitoring/dashboard.json over that time. It is a drawing of those answers, not Grafana's own.
"""

import argparse
import asyncio
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, PercentFormatter

from k8s.dashboard import DASHBOARD, RULES
from service.bench.connection import Target, post_file, read_target
from service.bench.load import closed_loop, open_loop, poisson
from service.bench.server import running_server
from service.http.urgency import TIMEOUTS
from service.settings import EMBEDDED_BUNDLE, SettingsError

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "dashboard.png"
NAMESPACE = "compose"  # the one that docker/prometheus/prometheus.yaml gives its targets
UNITS = {"reqps": "/s", "ops": "/s", "s": "s", "bytes": "B", "percentunit": "", "none": ""}
SCRAPE, WINDOW, STEP_S = (
    "2s",
    "20s",
    2,
)  # of a picture of minutes; Grafana would take these from its data source


@dataclass(frozen=True)
class Line:
    """One series of a panel."""

    name: str
    times: np.ndarray[Any, np.dtype[np.float64]]  # seconds from the beginning
    values: np.ndarray[Any, np.dtype[np.float64]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and draw."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dashboard", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("photographs", metavar="PHOTO", nargs="+", type=Path)
    parser.add_argument(
        "--seconds", type=float, default=60, help="of each of the four parts of the load [60]"
    )
    parser.add_argument("--out", type=Path, default=PICTURE)
    options = parser.parse_args(arguments)
    if shutil.which("prometheus") is None:
        raise SystemExit("prometheus is not installed (apt install prometheus).")
    with (
        running_server(EMBEDDED_BUNDLE, ["--backend", "onnxruntime", "--max-queue", "16"]) as server,
        tempfile.TemporaryDirectory() as folder,
        prometheus(Path(folder), server.address.removeprefix("http://")) as address,
    ):
        begun = time.time()
        target = read_target(server.address)
        asyncio.run(load(target, [post_file(target, path) for path in options.photographs], options.seconds))
        time.sleep(2 * STEP_S)
        draw(options.out, address, begun, time.time())


async def load(target: Target, requests: list[bytes], seconds: float) -> None:
    """Quiet, then near what the server can do, then twice as much with some in a hurry, then quiet again."""
    samples = await closed_loop(target, requests, connections=2, seconds=10)
    able = len(samples) / 10  # a second
    hurried = [
        request.replace(b"\r\n\r\n", f"\r\n{TIMEOUTS[0]}: 900\r\n\r\n".encode(), 1) for request in requests
    ]
    for share, sent in ((0.3, requests), (0.8, requests), (2.0, [*requests, *hurried]), (0.3, requests)):
        await open_loop(target, sent, arrivals=poisson(share * able, seconds), connections=64)


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[str]:
    """The address of a Prometheus that scrapes the target while the block runs."""
    config = RULES.with_name("prometheus.yaml").read_text().replace("panoptic:8000", target)
    (folder / "prometheus.yaml").write_text(config.replace("interval: 5s", f"interval: {SCRAPE}"))
    (folder / "rules.yaml").write_text(RULES.read_text().replace("interval: 15s", f"interval: {SCRAPE}"))
    address = "127.0.0.1:19090"
    options = [f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'data'}"]
    process = subprocess.Popen(
        ["prometheus", *options, f"--web.listen-address={address}", "--log.level=error"],
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(f"http://{address}/-/ready")
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(20)


def draw(path: Path, address: str, begun: float, ended: float) -> None:
    """Draw every panel at its place."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    plt.rc("font", size=7)
    figure = plt.figure(figsize=(15, rows * 0.34))
    grid = figure.add_gridspec(rows, 24, hspace=14, wspace=8, left=0.05, right=0.99, top=0.99, bottom=0.02)
    for panel in panels:
        place = panel["gridPos"]
        axes = figure.add_subplot(
            grid[place["y"] : place["y"] + place["h"], place["x"] : place["x"] + place["w"]]
        )
        if panel["type"] == "row":
            axes.set_axis_off()
            axes.text(-0.02, 0, panel["title"], fontsize=11, weight="bold", transform=axes.transAxes)
            continue
        _draw_panel(
            axes, panel, [line for each in panel["targets"] for line in ask(address, each, begun, ended)]
        )
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=90, metadata={"Software": None})


def ask(address: str, target: dict[str, str], begun: float, ended: float) -> list[Line]:
    """What Prometheus answers to one of a panel's queries, and what each series is called."""
    expression = target["expr"].replace("$__rate_interval", WINDOW).replace("$namespace", NAMESPACE)
    asked: dict[str, str | float] = {"query": expression, "start": begun, "end": ended, "step": STEP_S}
    found = httpx.get(f"{address}/api/v1/query_range", params=asked, timeout=30).json()["data"]["result"]
    lines = []
    for series in found:
        points = np.array([[float(moment), float(value)] for moment, value in series["values"]])
        name = target["legendFormat"]
        for label, value in series["metric"].items():
            name = name.replace(f"{{{{{label}}}}}", value)
        lines.append(Line(name.replace("{{pod}}", "the server"), points[:, 0] - begun, points[:, 1]))
    return lines


def _draw_panel(axes: Axes, panel: dict[str, Any], lines: list[Line]) -> None:
    unit = panel["fieldConfig"]["defaults"]["unit"]
    axes.set_title(panel["title"], loc="left", fontsize=8)
    axes.yaxis.set_major_formatter(
        PercentFormatter(1.0) if unit == "percentunit" else EngFormatter(UNITS[unit])
    )
    for line in lines:
        axes.plot(line.times, line.values, linewidth=1, label=line.name)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    if lines:
        axes.legend(fontsize=6, loc="upper left", ncols=2, framealpha=0.6)
    else:
        axes.text(0.5, 0.5, "no answer", ha="center", transform=axes.transAxes)


def _wait(address: str) -> None:
    for _ in range(120):
        try:
            if httpx.get(address, timeout=1).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.25)
    raise SystemExit("Prometheus did not start.")


if __name__ == "__main__":
    try:
        main()
    except SettingsError as error:
        raise SystemExit(f"Error: {error}") from error
