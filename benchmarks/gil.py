"""How long does each call on a photograph's way keep Python's lock, so that no other thread runs?

A thread looks every fifth of a millisecond how much time of its own the calling thread has spent: to look it needs the
lock, so the most that was spent between two looks is, but for that fifth, the longest that the lock was kept. It counts
processor time, and the least of the rounds, because other work on the machine can only add to it.
"""

import base64
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from io import BytesIO

import cv2
import numpy as np
from PIL import Image

from benchmarks.codecs import BUCKET, GRAY, LARGE, LIMIT, SIZE
from benchmarks.scenes import CATEGORIES, id_map, jpeg, segments_of
from model.bundle import read_bundle
from model.fit import fit, fitted_size, resize
from service.app import open_predictor
from service.pipeline.encode import ids_to_rgb, number_ids, panoptic_png, rle_masks, to_json
from service.pipeline.images import read_photograph
from service.pipeline.jpeg import decode_jpeg
from service.pipeline.overlay import draw_overlay, encode_overlay
from service.pipeline.panoptic import merge_heads, panoptic_of
from service.pipeline.png import rgb_png
from service.pipeline.segments import segments_info
from service.settings import Settings

ROUNDS = 12
ALLOWED_MS = 1.0
OFF_THE_WAY = ("for comparison", "overlay")
LOOK_S = 2e-4
SWITCH_S = 1e-4  # how soon a thread that runs Python gives the lock away: far less than what is looked for


def main() -> int:
    """Print every call with the longest time it keeps the lock; 1 where one keeps it too long."""
    cv2.setNumThreads(1)
    sys.setswitchinterval(SWITCH_S)
    calls = _calls()
    hurried = _hurry()
    print(f"longest time that Python's lock is kept, ms, least of {ROUNDS} rounds; {SIZE[0]} x {SIZE[1]}")
    if not hurried:
        print("  (the system gives this no real-time priority: on a busy machine the figures are too large)")
    found = {name: longest_hold(call) for name, call in calls.items()}
    for name, (kept, lasted) in found.items():
        print(f"  {name:44} {kept:6.2f} of {lasted:7.2f}{'   long' if kept > ALLOWED_MS else ''}")
    slow = [
        name for name, (kept, _) in found.items() if kept > ALLOWED_MS and not name.startswith(OFF_THE_WAY)
    ]
    print(f"on the hot path above {ALLOWED_MS:g} ms: {', '.join(slow) or 'none'}")
    return int(bool(slow))


def longest_hold(call: Callable[[], object], rounds: int = ROUNDS) -> tuple[float, float]:
    """Milliseconds of a call's own time: the longest at a stretch with the lock, and all; the least of the rounds."""
    call()
    found = [_round(call) for _ in range(rounds)]
    return min(kept for kept, _ in found), min(lasted for _, lasted in found)


def _round(call: Callable[[], object]) -> tuple[float, float]:
    begin, done, leave = threading.Event(), threading.Event(), threading.Event()

    def run() -> None:
        begin.wait()
        call()
        done.set()
        leave.wait()

    thread = threading.Thread(target=run)
    thread.start()
    assert thread.ident is not None  # it has started
    clock = time.pthread_getcpuclockid(thread.ident)
    first = seen = time.clock_gettime(clock)
    longest = 0.0
    begin.set()
    while not done.is_set():
        time.sleep(LOOK_S)
        now = time.clock_gettime(clock)
        longest, seen = max(longest, now - seen), now
    leave.set()
    thread.join()
    return longest * 1000, (seen - first) * 1000


def _hurry() -> bool:
    """Let the looking thread run whenever it may; false where the system forbids it."""
    try:
        os.sched_setscheduler(threading.get_native_id(), os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        return False
    return True


def _calls() -> dict[str, Callable[[], object]]:
    data, large = jpeg(SIZE), jpeg(LARGE)
    photograph = read_photograph(data, max_pixels=LIMIT).pixels
    ids = id_map(SIZE)
    segments = segments_of(ids)
    colors = ids_to_rgb(ids)
    panoptic = panoptic_of(ids, segments)
    drawn = draw_overlay(photograph, ids, segments, CATEGORIES)
    files = {kind: _file(photograph, kind) for kind in ("PNG", "WEBP", "BMP", "TIFF", "GIF")}
    picture = panoptic_png(panoptic)
    settings = Settings(threads=1)
    predictor = open_predictor(read_bundle(settings.bundle), settings)
    prepared = predictor.prepare(data)
    batch = prepared.picture[None]
    heads = predictor.backend.run(batch)
    shuffled = np.random.default_rng(0).permutation(50_000).tolist()
    return {
        "for comparison: counting in Python": lambda: [None for _ in range(200_000)],
        "for comparison: sorting, which keeps it": lambda: sorted(shuffled),
        "simplejpeg: decode": lambda: decode_jpeg(data, SIZE, 1),
        f"read_photograph: JPEG {LARGE[0]} x {LARGE[1]}, reduced": lambda: read_photograph(
            large, max_pixels=LIMIT, needed=lambda size: fitted_size(size, BUCKET)
        ),
        **{
            f"read_photograph: {kind}": partial(read_photograph, content, max_pixels=LIMIT)
            for kind, content in {"JPEG": data, **files}.items()
        },
        "Pillow: array to image": lambda: Image.fromarray(photograph),
        "resize": lambda: resize(photograph, (512, 1024)),
        "fit": lambda: fit(photograph, BUCKET, GRAY),
        "ids_to_rgb": lambda: ids_to_rgb(ids),
        "number_ids": lambda: number_ids(ids, segments),
        "rgb_png": lambda: rgb_png(colors),
        "panoptic_png": lambda: panoptic_png(panoptic),
        "panoptic_png, palette": lambda: panoptic_png(panoptic, palette=True),
        "rle_masks": lambda: rle_masks(ids, segments),
        "overlay: drawn": lambda: draw_overlay(photograph, ids, segments, CATEGORIES),
        "overlay: WebP": lambda: encode_overlay(drawn),
        "overlay: JPEG": lambda: encode_overlay(drawn, "JPEG"),
        "base64": lambda: base64.b64encode(picture),
        "backend.run": lambda: predictor.backend.run(batch),
        "merge_heads": lambda: merge_heads(
            heads, prepared.sizes, predictor.manifest, predictor.manifest.merging
        ),
        "to_json": lambda: to_json(segments_info(segments)),
    }


def _file(pixels: np.ndarray, kind: str) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


if __name__ == "__main__":
    sys.exit(main())
