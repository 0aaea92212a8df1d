"""What runs the network at the least cost? CPU time an image by runtime, precision and batch, and the memory of each.

The engines take turns in one process, so that all meet the same moments; the time is the process's own, of all its
threads. Memory is the peak of a process that has only this engine, after all buckets and batch sizes.
"""

import argparse
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from model.bundle import Bundle, BundleError, Precision, read_bundle
from service.backends import RUNTIMES, Backend, Runtime, open_backend, precisions
from service.settings import EMBEDDED_BUNDLE

BATCHES = (1, 4)
ROUNDS = 7
THREADS = 2


def main() -> None:
    """Print a line for each bundle, runtime, precision and batch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundles", metavar="BUNDLE", nargs="*", type=Path, default=[EMBEDDED_BUNDLE])
    parser.add_argument("--memory-of", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    bundles = [read_bundle(path) for path in options.bundles]
    if options.memory_of:
        print(_peak_mb(bundles[0], *options.memory_of))
        return
    engines = [engine for bundle in bundles for engine in _open(bundle)]
    for batch in BATCHES:
        for (bundle, engine), cost in zip(
            engines, _measure([each for _, each in engines], batch), strict=True
        ):
            print(f"{_name(bundle, engine)}, batch {batch}: {cost:6.1f} ms CPU an image (median)", flush=True)
    for bundle, engine in engines:
        print(f"{_name(bundle, engine)}: {_memory(bundle, engine)} MB at the peak, alone", flush=True)


def _open(bundle: Bundle) -> list[tuple[Bundle, Backend]]:
    """Every engine that can be had here; the others are named with their reason."""
    engines = []
    for runtime in RUNTIMES:
        for precision in precisions(bundle, runtime):
            try:
                engines.append((bundle, open_backend(bundle, runtime, precision, threads=THREADS)))
            except BundleError as error:
                print(f"{bundle.manifest.name}, {runtime} {precision}, left out: {error}")
    return engines


def _measure(engines: list[Backend], batch: int) -> list[float]:
    """Median CPU milliseconds an image, 384x512 pixels each."""
    pictures = np.random.default_rng(0).integers(0, 256, (batch, 384, 512, 3)).astype(np.uint8)
    costs: list[list[float]] = [[] for _ in engines]
    for round_ in range(ROUNDS + 1):
        for engine, found in zip(engines, costs, strict=True):
            begun = time.process_time()
            engine.run(pictures)
            if round_ > 0:  # the first allocates
                found.append((time.process_time() - begun) * 1000 / batch)
    return [statistics.median(found) for found in costs]


def _memory(bundle: Bundle, engine: Backend) -> str:
    runtime = "openvino" if engine.name.startswith("OpenVINO") else "onnxruntime"
    command = [sys.executable, "-m", "benchmarks.engines", str(bundle.path), "--memory-of"]
    ended = subprocess.run(
        [*command, runtime, engine.precision], check=True, stdout=subprocess.PIPE, text=True
    )
    return ended.stdout.strip()


def _peak_mb(bundle: Bundle, runtime: Runtime, precision: Precision) -> int:
    engine = open_backend(bundle, runtime, precision, threads=THREADS)
    for bucket in bundle.manifest.input.buckets:
        for size in bundle.manifest.input.batch_sizes:
            engine.run(np.zeros((size, *bucket, 3), np.uint8))
    # Linux hands the parent's `ru_maxrss` down to a child; this one starts anew.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    return int(peak[1]) * 1024 // 1_000_000 if peak else 0


def _name(bundle: Bundle, engine: Backend) -> str:
    return f"{bundle.manifest.name}, {engine.name} {engine.precision}"


if __name__ == "__main__":
    main()
