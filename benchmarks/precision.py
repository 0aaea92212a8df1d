"""What a shorter number format costs and gains: PQ, mIoU, size and CPU time of bundles, side by side.

`python -m benchmarks.precision DATA BUNDLE [BUNDLE ...]`. The figures are those of `panoptic-evaluate`, by ONNX Runtime
on the processor; the time is of one photograph of the first bucket, median, all threads' time together. With `--loss`
it ends with exit code 1 where a bundle loses more PQ against the first one.
"""

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.bundle import Bundle, read_bundle
from service.app import open_predictor
from service.backends import Backend
from service.evaluation.measures import Figures
from service.evaluation.report import percent
from service.evaluation.run import evaluate, plan
from service.settings import Settings

ROUNDS = 5
LOST = 1  # exit code


@dataclass(frozen=True)
class Row:
    """One bundle's figures."""

    bundle: Bundle
    figures: Figures
    milliseconds: float

    def __str__(self) -> str:
        manifest = self.bundle.manifest
        size = self.bundle.model.stat().st_size / 1e6
        cells = [f"`{manifest.name}`", self.bundle.precision, percent(self.figures.mean("pq", None))]
        cells += [percent(self.figures.mean("iou", None)), f"{size:.1f}", f"{self.milliseconds:.0f}"]
        return f"| {' | '.join(cells)} |"


def main(arguments: list[str] | None = None) -> int:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(prog="precision", description=__doc__)
    parser.add_argument("data", metavar="DATA", type=Path, help="a labelled data set")
    parser.add_argument("bundles", metavar="BUNDLE", nargs="+", type=Path)
    parser.add_argument("--mapping", nargs=2, metavar=("CURRICULUM", "SET"), help="as panoptic-evaluate's")
    parser.add_argument("--limit", type=int, help="judge the first so many photographs")
    parser.add_argument("--loss", type=float, help="points of PQ that may be lost against the first bundle")
    options = parser.parse_args(arguments)
    print("| bundle | precision | PQ | mIoU | graph, MB | CPU, ms a photograph |")
    print("| --- | --- | --: | --: | --: | --: |")
    rows = []
    for path in options.bundles:
        rows.append(_measure(read_bundle(path), options.data, options.mapping, options.limit))
        print(rows[-1], flush=True)
    if options.loss is None:
        return 0
    first = rows[0].figures.mean("pq", None) or 0.0
    return (
        LOST
        if any(100 * (first - (row.figures.mean("pq", None) or 0.0)) > options.loss for row in rows)
        else 0
    )


def _measure(bundle: Bundle, data: Path, mapping: list[str] | None, limit: int | None) -> Row:
    settings = Settings(bundle=bundle.path, backend="onnxruntime", threads=1)
    predictor = open_predictor(bundle, settings)
    try:
        with tempfile.TemporaryDirectory() as out:
            task = plan(
                bundle.manifest.categories,
                data,
                Path(out),
                layout=None,
                mapping=(mapping[0], mapping[1]) if mapping else None,
                limit=limit,
                anew=True,
                command="benchmarks.precision",
            )
            figures, _ = evaluate(predictor, task)
        return Row(bundle, figures, _time(bundle, predictor.backend))
    finally:
        predictor.close()


def _time(bundle: Bundle, backend: Backend) -> float:
    picture = np.zeros((1, *bundle.manifest.input.buckets[0], 3), np.uint8)
    times = []
    for _ in range(ROUNDS + 1):
        begun = time.process_time()
        backend.run(picture)
        times.append((time.process_time() - begun) * 1000)
    return statistics.median(times[1:])


if __name__ == "__main__":
    sys.exit(main())
