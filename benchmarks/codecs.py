"""What decoding and encoding cost, ours beside the usual ways: CPU time on one thread, in turns, median of rounds.

The time is that of the thread itself, so that other work on the machine disturbs it little; ratios least of all.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from io import BytesIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco

from benchmarks.scenes import CATEGORIES, id_map, jpeg, segments_of
from model.bundle import Size
from model.fit import fit, fitted_size
from service.pipeline.encode import ids_to_rgb, panoptic_png, rle_masks, to_json
from service.pipeline.images import read_photograph
from service.pipeline.overlay import draw_overlay, encode_overlay
from service.pipeline.panoptic import panoptic_of
from service.pipeline.segments import segments_info

SIZE: Size = (1024, 2048)
LARGE: Size = (3024, 4032)
BUCKET: Size = (384, 512)
ROUNDS = 7
LIMIT = 100_000_000
GRAY = (127, 127, 127)

Ways = Mapping[str, Callable[[], object]]


def main() -> None:
    """Print a table for each step; the first line of each is ours."""
    cv2.setNumThreads(1)
    ids = id_map(SIZE)
    segments = segments_of(ids)
    colors = ids_to_rgb(ids)
    panoptic = panoptic_of(ids, segments)
    drawn = draw_overlay(read_photograph(jpeg(SIZE), max_pixels=LIMIT).pixels, ids, segments, CATEGORIES)
    print(
        f"{len(segments)} segments; CPU ms, median of {ROUNDS}, ratio to the first, kB where bytes come out"
    )
    compare(f"decode a JPEG of {_name(SIZE)}", _decoding(jpeg(SIZE)))
    compare(f"decode a JPEG of {_name(LARGE)} into {_name(BUCKET)}", _fitting(jpeg(LARGE)))
    compare(
        f"panoptic PNG of {_name(SIZE)}",
        {
            "ours, 24 bits": lambda: panoptic_png(panoptic),
            "ours, palette": lambda: panoptic_png(panoptic, palette=True),
            "Pillow, its default": lambda: _by_pillow(colors, "PNG"),
            "Pillow, level 1": lambda: _by_pillow(colors, "PNG", compress_level=1),
            "OpenCV, its default": lambda: bytes(cv2.imencode(".png", colors[:, :, ::-1])[1]),
        },
    )
    compare(
        f"RLE of all segments of {_name(SIZE)}",
        {
            "ours, one pass": lambda: rle_masks(ids, segments),
            "pycocotools, mask by mask": lambda: [
                coco.encode(np.asfortranarray(ids == segment.id)) for segment in segments
            ],
        },
    )
    photograph = read_photograph(jpeg(SIZE), max_pixels=LIMIT).pixels
    compare("draw an overlay", {"ours": lambda: draw_overlay(photograph, ids, segments, CATEGORIES)})
    compare(
        "write an overlay",
        {
            "ours, JPEG": lambda: encode_overlay(drawn, "JPEG"),
            "ours, WebP": lambda: encode_overlay(drawn, "WEBP"),
            "Pillow, JPEG": lambda: _by_pillow(drawn, "JPEG", quality=85),
            "Pillow, WebP": lambda: _by_pillow(drawn, "WEBP", quality=85),
        },
    )
    compare("segments as JSON", {"ours": lambda: to_json(segments_info(segments))})


def compare(what: str, ways: Ways) -> None:
    """Print each way's median; the ways take turns, so that all meet the same moments."""
    costs: dict[str, list[float]] = {name: [] for name in ways}
    results = {name: way() for name, way in ways.items()}  # warm-up too
    for _ in range(ROUNDS):
        for name, way in ways.items():
            begun = time.thread_time()
            way()
            costs[name].append((time.thread_time() - begun) * 1000)
    medians = {name: statistics.median(values) for name, values in costs.items()}
    ours = next(iter(medians.values()))
    print(f"\n{what}")
    for name, median in medians.items():
        result = results[name]
        size = f"{len(result) / 1000:8.1f} kB" if isinstance(result, bytes) else ""
        print(f"  {name:34} {median:8.2f} {median / ours:7.1f}x {size}")


def _decoding(data: bytes) -> Ways:
    return {
        "ours": lambda: read_photograph(data, max_pixels=LIMIT),
        "OpenCV": lambda: cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB),
        "Pillow": lambda: np.asarray(Image.open(BytesIO(data)).convert("RGB")),
    }


def _fitting(data: bytes) -> Ways:
    rows, columns = fitted_size(LARGE, BUCKET)
    bilinear = Image.Resampling.BILINEAR

    def ours(needed: Callable[[Size], Size] | None) -> None:
        found = read_photograph(data, max_pixels=LIMIT, needed=needed)
        fit(found.pixels, BUCKET, GRAY, photograph=found.size, box=found.box)

    return {
        "ours, reduced": lambda: ours(lambda size: fitted_size(size, BUCKET)),
        "ours, decoded whole": lambda: ours(None),
        "Pillow": lambda: np.asarray(
            Image.open(BytesIO(data)).convert("RGB").resize((columns, rows), bilinear)
        ),
    }


def _by_pillow(pixels: NDArray[np.uint8], kind: str, **options: int) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def _name(size: Size) -> str:
    return f"{size[0]} x {size[1]}"


if __name__ == "__main__":
    main()
