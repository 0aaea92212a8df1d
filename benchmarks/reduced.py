"""What reduced decoding changes: decibels of the network's input, and PQ of the answers where photographs are given.

`python -m benchmarks.reduced [--bundle DIR] [PHOTO ...]`. The full way, which decodes every pixel and then resizes, is
the truth in both. Decibels are 10 log10(255² / mean square difference); PQ is by torchmetrics, over all photographs.
"""

import argparse
import math
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torchmetrics.detection import PanopticQuality

from benchmarks.scenes import photographs
from model.bundle import Size, read_bundle
from model.fit import choose_bucket, fit, fitted_size, resize
from service.app import open_predictor
from service.pipeline.images import read_photograph
from service.pipeline.jpeg import HEADROOM, decode_jpeg, reduction
from service.pipeline.panoptic import Panoptic
from service.pipeline.predictor import Predictor, Prepared
from service.settings import Settings

RATIOS = (2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 20.0)
LIMIT = 200_000_000


def main(arguments: list[str] | None = None) -> None:
    """Print the table of decibels, or a line for each photograph and the PQ of all."""
    parser = argparse.ArgumentParser(prog="reduced", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Settings().bundle, help="whose network answers")
    parser.add_argument("photographs", metavar="PHOTO", nargs="*", type=Path, help="large JPEG photographs")
    options = parser.parse_args(arguments)
    if options.photographs:
        _answers(options.bundle, options.photographs)
    else:
        _decibels_by_ratio()


def _decibels_by_ratio() -> None:
    """For photographs so many times as large as needed: the factor that is taken, and the decibels."""
    stored = [_as_jpeg(path) for path in photographs()]
    print("the photograph's side over the needed one: decibels (factor), mean of two photographs, JPEG at 92")
    for headroom in (1.0, HEADROOM):
        cells = [_cell([_at_ratio(data, ratio, headroom) for data in stored]) for ratio in RATIOS]
        shown = "   ".join(f"{ratio:g}: {cell}" for ratio, cell in zip(RATIOS, cells, strict=True))
        print(f"at least {headroom:g} times the needed size   {shown}")


def _at_ratio(data: bytes, ratio: float, headroom: float) -> tuple[float, int]:
    whole = read_photograph(data, max_pixels=LIMIT).pixels
    size = (whole.shape[0], whole.shape[1])
    needed = (round(size[0] / ratio), round(size[1] / ratio))
    factor = reduction(size, needed, headroom)
    pixels = decode_jpeg(data, size, factor)
    assert pixels is not None  # it was just written
    return _decibels(
        resize(pixels, needed, (0, 0, size[1] / factor, size[0] / factor)), resize(whole, needed)
    ), factor


def _cell(found: list[tuple[float, int]]) -> str:
    decibels = sum(each for each, _ in found) / len(found)
    return "equal" if math.isinf(decibels) else f"{decibels:.1f} (1/{found[0][1]})"


def _answers(bundle: Path, paths: list[Path]) -> None:
    predictor = open_predictor(read_bundle(bundle), Settings(bundle=bundle))
    categories = predictor.manifest.categories
    things = {index for index, category in enumerate(categories) if category.isthing}
    void = len(categories)
    quality = PanopticQuality(things, set(range(void + 1)) - things)

    def needed(photograph: Size) -> Size:
        return fitted_size(photograph, choose_bucket(photograph, predictor.manifest.input.buckets))

    try:
        for path in paths:
            data = path.read_bytes()
            (reduced, ours), (whole, truth) = (_walk(predictor, data, wish) for wish in (needed, None))
            quality.update(_classes(ours, void), _classes(truth, void))
            equal = float((ours.ids == truth.ids).mean())
            print(
                f"{path.name}: {_decibels(reduced.picture, whole.picture):.1f} dB, {equal:.2%} of pixels equal"
            )
    finally:
        predictor.close()
    print(f"PQ of reduced decoding against the full way: {100 * float(quality.compute()):.2f}")


def _walk(
    predictor: Predictor, data: bytes, needed: Callable[[Size], Size] | None
) -> tuple[Prepared, Panoptic]:
    found = read_photograph(data, max_pixels=LIMIT, needed=needed)
    spec = predictor.manifest.input
    bucket = choose_bucket(found.size, spec.buckets)
    picture, sizes = fit(found.pixels, bucket, spec.pad_value, photograph=found.size, box=found.box)
    prepared = Prepared(picture, sizes, found.orientation, None, {}, 0.0)
    return prepared, predictor.finish(prepared, predictor.submit(prepared).result())[0]


def _classes(panoptic: Panoptic, void: int) -> torch.Tensor:
    """(1, H, W, 2): class and instance of every pixel."""
    numbers = np.full((max((s.id for s in panoptic.segments), default=0) + 1, 2), (void, 0))
    for segment in panoptic.segments:
        numbers[segment.id] = (segment.class_index, segment.id if segment.isthing else 0)
    return torch.from_numpy(numbers[panoptic.ids])[None]


def _decibels(found: NDArray[np.uint8], expected: NDArray[np.uint8]) -> float:
    square = float(np.square(found.astype(float) - expected).mean())
    return 10 * math.log10(255**2 / square) if square else math.inf


def _as_jpeg(path: Path) -> bytes:
    file = BytesIO()
    with Image.open(path) as image:
        image.save(file, "JPEG", quality=92)
    return file.getvalue()


if __name__ == "__main__":
    main()
