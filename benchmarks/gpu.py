"""What bundles cost on a GPU: latency, throughput, memory and power by runtime, precision and batch.

`python -m benchmarks.gpu BUNDLE [BUNDLE ...] [--page docs/benchmarks-gpu.md]`. Engines are built first, every engine is
proved on the goldens, alone and in every row of a full batch, and what fails its proof is not measured. Latency is that
of one batch after the other; throughput is with two under way, as `start` and `finish` allow; both hold the copies.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export import ExportError
from export.engine import Order, write_engine
from model.accelerator import AcceleratorError, find_accelerator
from model.bundle import Bundle, BundleError, Precision, read_bundle
from model.engine import usual_folder
from service.backends import GPU_RUNTIMES, Backend, Device, Runtime, open_backend, precisions
from service.backends.tensorrt.loading import find_platform
from service.backends.tensorrt.runner import TensorRt
from service.pipeline.proof import prove_golden

ROUNDS = 50
NO_GPU = 3  # exit code
MARK = "<!-- gpu -->"  # below it the page is written anew


@dataclass(frozen=True)
class Figure:
    """One engine at one batch size."""

    bundle: str
    engine: str
    bucket: tuple[int, int]
    batch: int
    latency_ms: float
    images_s: float
    device_mb: float | None
    watts: float | None

    def __str__(self) -> str:
        memory = "–" if self.device_mb is None else f"{self.device_mb:.0f}"
        power = "–" if self.watts is None else f"{self.watts:.0f}"
        cells = [f"`{self.bundle}`", self.engine, f"{self.bucket[0]}×{self.bucket[1]}", str(self.batch)]
        return f"| {' | '.join([*cells, f'{self.latency_ms:.2f}', f'{self.images_s:.0f}', memory, power])} |"


def main(arguments: list[str] | None = None) -> int:
    """Measure, and print or write a Markdown table."""
    parser = argparse.ArgumentParser(prog="gpu", description=__doc__)
    parser.add_argument("bundles", metavar="BUNDLE", nargs="+", type=Path)
    parser.add_argument("--device", type=int, default=0, help="number of the GPU")
    parser.add_argument("--page", type=Path, help="page whose part below the mark is written anew")
    options = parser.parse_args(arguments)
    try:
        accelerator = find_accelerator(options.device)
    except AcceleratorError as error:
        print(error, file=sys.stderr)
        return NO_GPU
    lines = [
        f"On one {accelerator.name}, {accelerator.memory / 1e9:.0f} GB, by `make gpu`.",
        "",
        "| bundle | engine | input | batch | latency, ms | images/s | buffers, MB | W |",
        "| --- | --- | --- | --: | --: | --: | --: | --: |",
    ]
    print("\n".join(lines))
    for path in options.bundles:
        for line in _lines(read_bundle(path), Device(options.device)):
            print(line, flush=True)
            lines.append(line)
    if options.page:
        kept = options.page.read_text(encoding="utf-8").partition(MARK)[0]
        options.page.write_text(f"{kept}{MARK}\n\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return 0


def _lines(bundle: Bundle, device: Device) -> Iterator[str]:
    for runtime in GPU_RUNTIMES:
        for precision in precisions(bundle, runtime):
            name = f"{runtime} {precision}"
            try:
                yield from map(str, _measure(bundle, runtime, precision, device))
            except (BundleError, ExportError) as error:
                yield f"| `{bundle.manifest.name}` | {name} | {error} | | | | | |"


def _measure(bundle: Bundle, runtime: Runtime, precision: Precision, device: Device) -> Iterator[Figure]:
    if runtime == "tensorrt":
        gpu = device.gpu or 0
        order = Order(find_platform(gpu).target, precision, device=gpu)
        write_engine(bundle, usual_folder(bundle), order, lambda line: print(line, file=sys.stderr))
    engine = open_backend(bundle, runtime, precision, threads=1, device=device)
    try:
        for golden in bundle.manifest.goldens:
            for size in {1, bundle.manifest.input.batch_sizes[-1]}:
                prove_golden(bundle, engine, golden, size)
        for bucket in bundle.manifest.input.buckets:
            for batch in bundle.manifest.input.batch_sizes:
                yield _figure(bundle, engine, bucket, batch)
    finally:
        engine.close()


def _figure(bundle: Bundle, engine: Backend, bucket: tuple[int, int], batch: int) -> Figure:
    pictures = np.random.default_rng(0).integers(0, 256, (batch, *bucket, 3)).astype(np.uint8)
    engine.run(pictures)
    latencies = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        engine.run(pictures)
        latencies.append((time.perf_counter() - begun) * 1000)
    images_s, watts = _throughput(engine, pictures)
    taken = engine.gpu.memory if engine.gpu else {}
    memory = (taken["buffers"] + taken["scratch"]) / 1e6 if "buffers" in taken else None
    name = f"{engine.name} {engine.precision}"
    latency = statistics.median(latencies)
    return Figure(bundle.manifest.name, name, bucket, batch, latency, images_s, memory, watts)


def _throughput(engine: Backend, pictures: np.ndarray) -> tuple[float, float | None]:
    """Images a second with two batches under way where the engine can, and the power that was drawn."""
    begun = time.perf_counter()
    if isinstance(engine, TensorRt):
        running = engine.start(pictures)
        for _ in range(ROUNDS - 1):
            following = engine.start(pictures)
            engine.finish(running)
            running = following
        engine.finish(running)
    else:
        for _ in range(ROUNDS):
            engine.run(pictures)
    spent = time.perf_counter() - begun
    return ROUNDS * len(pictures) / spent, _watts(engine.device)


def _watts(device: str) -> float | None:
    number = device.rpartition(":")[2]
    command = ["nvidia-smi", "-i", number, "--query-gpu=power.draw.average", "--format=csv,noheader,nounits"]
    try:
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None


if __name__ == "__main__":
    sys.exit(main())
