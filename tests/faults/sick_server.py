"""panoptic-serve with a sick engine: `python -m tests.faults.sick_server SYMPTOM ARGUMENTS...`.

The engine below the server is replaced, and nothing else; the server's own code has no hook for it. A picture whose
upper left corner is MARK (a color that no other test paints) is the one that harms.

raise: a batch with such a picture fails · nan: the heads of such a picture are not numbers · hang: a batch with such a
picture never ends · die: after such a picture every batch fails, as after a sticky error of a device · slow: every
batch takes 0.1 s, as an engine would whose capacity is known.
"""

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from service import serve
from service.backends import Heads, Pictures
from service.backends.onnxruntime import OnnxRuntime

MARK = (255, 0, 255)
SLOW_S = 0.1

healthy = OnnxRuntime.run
dead = threading.Event()


def marked(batch: Pictures) -> Any:
    """Which pictures of a batch harm."""
    return (np.abs(batch[:, 2, 2].astype(int) - MARK) < 8).all(axis=1)


def fail(engine: OnnxRuntime, batch: Pictures) -> Heads:
    if marked(batch).any():
        raise RuntimeError("the engine choked on a picture")
    return healthy(engine, batch)


def say_nan(engine: OnnxRuntime, batch: Pictures) -> Heads:
    heads = healthy(engine, batch)
    for head in (heads.semantic, heads.center, heads.offset):
        head[marked(batch)] = np.nan
    return heads


def hang(engine: OnnxRuntime, batch: Pictures) -> Heads:
    if marked(batch).any():
        threading.Event().wait()
    return healthy(engine, batch)


def die(engine: OnnxRuntime, batch: Pictures) -> Heads:
    if marked(batch).any():
        dead.set()
    if dead.is_set():
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
    return healthy(engine, batch)


def dawdle(engine: OnnxRuntime, batch: Pictures) -> Heads:
    time.sleep(SLOW_S)
    return healthy(engine, batch)


def main() -> int:
    symptoms: dict[str, Callable[[OnnxRuntime, Pictures], Heads]] = {
        "raise": fail,
        "nan": say_nan,
        "hang": hang,
        "die": die,
        "slow": dawdle,
    }
    OnnxRuntime.run = symptoms[sys.argv[1]]  # type: ignore[assignment, method-assign]
    return serve.main([*sys.argv[2:], "--backend", "onnxruntime", "--precision", "fp32"])


if __name__ == "__main__":
    sys.exit(main())
