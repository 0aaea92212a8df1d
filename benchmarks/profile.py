"""Where a loaded server's time goes: a flame graph by py-spy, `make profile`.

`python -m benchmarks.profile [--bundle DIR] [--seconds S] [--out FILE]`. The server is looked at from outside, a
hundred times a second, threads without Python's lock too and native calls with their names. Without --bundle it is
the null bundle's, so that the picture shows what is around a network. Seeing another process may need root.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from benchmarks.table import CONNECTIONS, NULL_SIZE, trial_of
from export.null import write_null_bundle
from model.bundle import read_bundle
from service.bench.server import running_server
from service.bench.stages import USUAL_CLASSES, USUAL_INSTANCES

PY_SPY = Path(sys.executable).with_name("py-spy")
WARM_S = 1.0


def main(arguments: list[str] | None = None) -> int:
    """Load a server and draw it; py-spy's exit code."""
    parser = argparse.ArgumentParser(prog="profile", description=__doc__)
    parser.add_argument(
        "--bundle", type=Path, metavar="DIR", help="directory of the model [default the null bundle]"
    )
    parser.add_argument("--seconds", type=int, default=20, help="of looking")
    parser.add_argument("--out", type=Path, metavar="FILE", default=Path("profile.svg"), help="SVG to write")
    options = parser.parse_args(arguments)
    if options.bundle:
        return draw(options.bundle, options.seconds, options.out)
    with tempfile.TemporaryDirectory() as folder:
        bundle = write_null_bundle(
            Path(folder) / "null", size=NULL_SIZE, instances=USUAL_INSTANCES, classes=USUAL_CLASSES
        )
        return draw(bundle.path, options.seconds, options.out)


def draw(bundle: Path, seconds: int, out: Path) -> int:
    """Look at a server that serves the bundle to callers in a closed loop."""
    with running_server(bundle) as server:
        trial = trial_of(server, read_bundle(bundle).manifest.input.buckets[0])
        load = threading.Thread(target=trial.closed, args=(CONNECTIONS, seconds + 2 * WARM_S), daemon=True)
        load.start()
        command = [
            str(PY_SPY),
            "record",
            "--pid",
            str(server.pid),
            "--output",
            str(out),
            "--duration",
            str(seconds),
        ]
        ended = subprocess.run([*command, "--native", "--threads", "--rate", "100"], check=False)
        load.join()
    return ended.returncode


if __name__ == "__main__":
    sys.exit(main())
