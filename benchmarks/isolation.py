"""What would decoding in a process of its own cost, one that can be killed? CPU ms a photograph, both sides together.

Ours decodes in a thread of the server. Beside it: a child that gets the bytes by a pipe, and gives the pixels back by
the pipe or in shared memory.
"""

import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.shared_memory import SharedMemory

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.scenes import jpeg
from model.bundle import Size
from service.pipeline.images import read_photograph

SIZES: tuple[Size, ...] = ((384, 512), (1024, 2048), (3024, 4032))
ROUNDS = 9
LIMIT = 100_000_000

Pixels = NDArray[np.uint8]


def main() -> None:
    """Print a line a size, and what a child keeps in memory."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as child:
        print(f"CPU ms of parent and child together, median of {ROUNDS}")
        print("| photograph | in a thread | child, pipe | child, shared memory |")
        print("| --- | --: | --: | --: |")
        for size in SIZES:
            print(_row(child, size))
        megabytes = child.submit(_memory).result() / 1e6
        print(f"A child keeps {megabytes:.0f} MB for itself alone.")


def _row(child: ProcessPoolExecutor, size: Size) -> str:
    data = jpeg(size)
    shared = SharedMemory(create=True, size=size[0] * size[1] * 3)
    ways: list[Callable[[], object]] = [
        lambda: _decode(data),
        lambda: child.submit(_decode, data).result(),
        lambda: child.submit(_into, shared.name, data).result(),
    ]
    try:
        costs = [[_cost(way, child) for way in ways] for _ in range(ROUNDS)]
    finally:
        shared.close()
        shared.unlink()
    medians = (statistics.median(each) for each in zip(*costs, strict=True))
    return f"| {size[0]}×{size[1]} | {' | '.join(f'{1000 * cost:.1f}' for cost in medians)} |"


def _cost(way: Callable[[], object], child: ProcessPoolExecutor) -> float:
    begun = time.process_time() + child.submit(time.process_time).result()
    way()
    return time.process_time() + child.submit(time.process_time).result() - begun


def _decode(data: bytes) -> Pixels:
    return read_photograph(data, max_pixels=LIMIT).pixels


def _into(name: str, data: bytes) -> None:
    shared = SharedMemory(name)
    pixels = _decode(data)
    np.ndarray(pixels.shape, np.uint8, shared.buf)[:] = pixels
    shared.close()


def _memory() -> int:
    return int(psutil.Process(os.getpid()).memory_full_info().uss)


if __name__ == "__main__":
    main()
