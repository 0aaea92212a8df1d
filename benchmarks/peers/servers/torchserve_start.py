"""Packs the handler and becomes TorchServe, which needs Java."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

MODEL = """minWorkers: 1
maxWorkers: 1
batchSize: 8
maxBatchDelay: 5
responseTimeout: 60
"""
NAMES = (
    "inference_address=http://127.0.0.1:{}",
    "management_address=http://127.0.0.1:{}",
    "metrics_address=http://127.0.0.1:{}",
    "grpc_inference_port={}",
    "grpc_management_port={}",
)


def main(port: int) -> None:
    """Serve on a port and the four after it."""
    if shutil.which("java") is None:
        sys.exit("there is no java on the path, and TorchServe needs one (17 or newer)")
    if importlib.util.find_spec("torch") is None:
        sys.exit(
            f"its workers import torch, which stays out; add it with `{sys.executable} -m pip install torch`"
        )
    folder, programs = Path(tempfile.mkdtemp(prefix="torchserve-")), Path(sys.executable).parent
    (folder / "model.yaml").write_text(MODEL, encoding="utf-8")
    lines = [line.format(port + index) for index, line in enumerate(NAMES)]
    (folder / "config.properties").write_text("\n".join(lines) + "\n", encoding="utf-8")
    handler = Path(__file__).with_name("torchserve_app.py")
    subprocess.run(
        [
            programs / "torch-model-archiver",
            *("--model-name", "panoptic", "--version", "1", "--handler", handler),
            *("--config-file", folder / "model.yaml", "--export-path", folder),
        ],
        check=True,
    )
    places = {name: str(folder) for name in ("TEMP", "LOG_LOCATION", "METRICS_LOCATION")}
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    os.execve(
        programs / "torchserve",
        [
            *("torchserve", "--start", "--foreground", "--ncs", "--disable-token-auth"),
            *("--model-store", str(folder), "--models", "panoptic=panoptic.mar"),
            *("--ts-config", str(folder / "config.properties")),
        ],
        {**os.environ, **places, "PATH": path},
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
