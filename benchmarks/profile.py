"""Where a loaded server's time goes: a flame graph by py-spy, and its stages as a picture, `make profile`.

`python -m benchmarks.profile [--bundle DIR] [--seconds S] [--out FILE] [--stages FILE]`. The server is looked at from
outside, twenty times a second, threads without Python's lock too and native calls with their names. Without --bundle it
is the null bundle's, so that the picture shows what is around a network. Seeing another process may need root.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from benchmarks.table import CONNECTIONS, NULL_SIZE, trial_of
from export.null import write_null_bundle
from model.bundle import read_bundle
from service.bench.server import running_server
from service.bench.stages import USUAL_CLASSES, USUAL_INSTANCES

PY_SPY = Path(sys.executable).with_name("py-spy")
WARM_S = 1.0
LOOKS_A_SECOND = 20  # native stacks take milliseconds to read

# A stack belongs to the first of these of which it holds a frame; idle ones are left out.
STAGES = (
    ("idle", ("select (selectors.py",)),
    ("wait for Python's lock", ("pthread_cond_timedwait",)),
    ("decode", ("service/pipeline/jpeg.py", "service/pipeline/images.py")),
    ("fit", ("model/fit.py",)),
    ("merge: centers", ("service/pipeline/kernels/peaks.py",)),
    ("merge: rank classes", ("service/pipeline/kernels/classes.py",)),
    ("merge: pixels", ("service/pipeline/kernels/merge.py",)),
    ("merge: scores", ("service/pipeline/kernels/scores.py",)),
    ("merge: segments", ("service/pipeline/panoptic.py", "service/pipeline/segments.py")),
    ("encode PNG", ("service/pipeline/png.py", "service/pipeline/kernels/deflate.py", "service/pipeline/encode.py")),
    ("network and batcher", ("service/backends/", "service/pipeline/batcher.py")),
    ("digest", ("service/http/addresses.py",)),
    ("wake the event loop", ("_write_to_self (asyncio",)),
    ("HTTP", ("uvicorn/", "service/http/", "asyncio/")),
)  # fmt: skip
REST = "rest"
# Threads without work, where no Python frame is below.
WAITS = ("Pool._next (service/pipeline/pool.py", "_worker (concurrent/futures/thread.py")


def main(arguments: list[str] | None = None) -> int:
    """Load a server and draw it; py-spy's exit code."""
    parser = argparse.ArgumentParser(prog="profile", description=__doc__)
    parser.add_argument(
        "--bundle", type=Path, metavar="DIR", help="directory of the model [default the null bundle]"
    )
    parser.add_argument("--seconds", type=int, default=20, help="of looking")
    parser.add_argument("--out", type=Path, metavar="FILE", default=Path("profile.svg"), help="SVG to write")
    parser.add_argument(
        "--stages", type=Path, metavar="FILE", help="PNG to write instead: bars of the stages"
    )
    options = parser.parse_args(arguments)
    if options.bundle:
        return draw(options.bundle, options.seconds, options.out, options.stages)
    with tempfile.TemporaryDirectory() as folder:
        bundle = write_null_bundle(
            Path(folder) / "null", size=NULL_SIZE, instances=USUAL_INSTANCES, classes=USUAL_CLASSES
        )
        return draw(bundle.path, options.seconds, options.out, options.stages)


def draw(bundle: Path, seconds: int, out: Path, stages: Path | None) -> int:
    """Look at a server that serves the bundle to callers in a closed loop."""
    if stages is None:
        return look(bundle, seconds, out, "flamegraph")
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "stacks.txt"
        code = look(bundle, seconds, raw, "raw")
        if code == 0:
            draw_stages(stages, count_stages(raw.read_text(encoding="utf-8").splitlines()))
    return code


def look(bundle: Path, seconds: int, out: Path, form: str) -> int:
    """Let py-spy write what it sees; its exit code."""
    with running_server(bundle) as server:
        trial = trial_of(server, read_bundle(bundle).manifest.input.buckets[0])
        load = threading.Thread(target=trial.closed, args=(CONNECTIONS, seconds + 2 * WARM_S), daemon=True)
        load.start()
        command = [str(PY_SPY), "record", "--pid", str(server.pid), "--output", str(out)]
        command += ["--duration", str(seconds), "--rate", str(LOOKS_A_SECOND), "--format", form]
        ended = subprocess.run([*command, "--native", "--threads"], check=False)
        load.join()
    return ended.returncode


def count_stages(stacks: Iterable[str]) -> dict[str, int]:
    """How often each stage was seen at work, in the order of STAGES.

    Args:
        stacks: lines of py-spy's raw format, frames from the thread inwards and how often they were seen.
    """
    seen: Counter[str] = Counter()
    for line in stacks:
        frames, _, count = line.rpartition(" ")
        python = [frame for frame in frames.split(";") if ".py:" in frame]
        if python and python[-1].startswith(WAITS):
            continue
        found = (name for name, marks in STAGES if any(mark in frames for mark in marks))
        seen[next(found, REST)] += int(count)
    return {name: seen[name] for name in (*(name for name, _ in STAGES[1:]), REST)}


def draw_stages(path: Path, seen: dict[str, int]) -> None:
    """Draw a bar a stage, as a share of all that was seen at work."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    whole = sum(seen.values())
    figure, axis = pyplot.subplots(figsize=(7, 4), layout="constrained")
    bars = axis.barh(list(seen)[::-1], [100 * count / whole for count in seen.values()][::-1])
    axis.bar_label(bars, fmt="%.0f %%", padding=3)
    axis.set(xlabel="share of the server's time at work, percent")
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    sys.exit(main())
