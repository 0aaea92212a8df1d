"""Does a graph with free sides cost more than one with fixed sides? CPU time an image, in ONNX Runtime.

CPU time is the time of the process itself, on one thread, so that other work on the machine disturbs it little.
"""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime

from export.onnx_graph import INPUT, write_graph
from model.parity.stand_in import picture, stand_in_network
from model.variants import EFFICIENTNET_LITE0

SIZE = EFFICIENTNET_LITE0.input.size
BATCHES = (1, 4)
ROUNDS = 15


def main() -> None:
    """Print a line for each graph and batch."""
    network = stand_in_network(EFFICIENTNET_LITE0)
    with tempfile.TemporaryDirectory() as folder:
        sessions = {}
        for kind, size in (("free", None), ("fixed", SIZE)):
            path = Path(folder) / f"{kind}.onnx"
            write_graph(network, path, size=size)
            sessions[kind] = _open(path)
        for batch in BATCHES:
            images = np.stack([picture(*SIZE, seed=index) for index in range(batch)])
            for kind, cost in _measure(sessions, images).items():
                print(
                    f"{kind:5} sides, {SIZE[0]}x{SIZE[1]}, batch {batch}: {cost:.1f} ms CPU an image (median)"
                )


def _open(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _measure(
    sessions: dict[str, onnxruntime.InferenceSession],
    images: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]",
) -> dict[str, float]:
    """Median CPU milliseconds an image; the graphs take turns, so that both meet the same moments."""
    costs: dict[str, list[float]] = {kind: [] for kind in sessions}
    for index in range(ROUNDS + 1):
        for kind, session in sessions.items():
            start = time.process_time()
            session.run(None, {INPUT: images})
            if index > 0:  # the first is warm-up
                costs[kind].append((time.process_time() - start) * 1000 / len(images))
    return {kind: statistics.median(values) for kind, values in costs.items()}


if __name__ == "__main__":
    main()
