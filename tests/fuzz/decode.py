"""Mutated pictures through the decoder, in a process that may die of it: `python -m tests.fuzz.decode FIRST COUNT`.

Each number is printed before its picture is decoded, so that a crash names its cause; the last line is a report.
"""

import json
import os
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

from model.bundle import Size
from service.pipeline.image_errors import ImageError
from service.pipeline.images import read_photograph
from tests.fuzz.mutation import mutate
from tests.fuzz.seeds import seeds

MAX_PIXELS = 1_000_000
BUCKET: Size = (384, 512)
SLOW_S = 1.0  # of CPU time


def decode(data: bytes) -> str:
    """What becomes of a picture: `decoded`, the kind of its refusal, or what nobody foresaw."""
    try:
        photograph = read_photograph(data, max_pixels=MAX_PIXELS, needed=lambda size: BUCKET)
    except ImageError as error:
        return type(error).__name__
    except Exception as error:
        return f"! {type(error).__name__}: {error}"
    rows, columns = photograph.size
    fits = photograph.pixels.ndim == 3 and rows * columns <= MAX_PIXELS
    return "decoded" if fits else f"! {photograph.pixels.shape} of {photograph.size}"


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Decode so many, and report."""
    warnings.simplefilter("ignore")  # Pillow warns of what it then refuses
    first, count = map(int, sys.argv[1:])
    originals = [content for _, content in seeds()]
    outcomes: Counter[str] = Counter()
    findings, slowest_s, warm_mb = {}, 0.0, 0.0
    for number in range(first, first + count):
        print(number, flush=True)
        if number == first + count // 4:
            warm_mb = resident_mb()
        data = mutate(number, originals)
        begun = time.process_time()
        outcome = decode(data)
        seconds = time.process_time() - begun
        slowest_s = max(slowest_s, seconds)
        outcomes[outcome.partition(":")[0]] += 1
        if outcome.startswith("!") or seconds > SLOW_S:
            findings[number] = f"{outcome} ({seconds:.2f} s)"
    report = {
        "outcomes": outcomes,
        "findings": findings,
        "slowest_s": slowest_s,
        "grown_mb": resident_mb() - warm_mb,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
