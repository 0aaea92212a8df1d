"""The seeds: small pictures in every format that is taken, drawn here; `python -m tests.fuzz.seeds` writes them."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

FOLDER = Path(__file__).parent / "seeds"


def seeds() -> list[tuple[str, bytes]]:
    """Their names and bytes, in the order of their names."""
    return [(path.name, path.read_bytes()) for path in sorted(FOLDER.iterdir())]


def drawn() -> Image.Image:
    """A slope of colors with a block in it: some of all that codecs care for."""
    y, x = np.mgrid[:24, :32]
    pixels = np.stack([x * 8, y * 10, (x + y) * 4], axis=2).astype(np.uint8)
    pixels[6:14, 10:20] = (200, 30, 60)
    return Image.fromarray(pixels)


def write_seeds() -> None:
    """Write all of them."""
    picture = drawn()
    alpha = picture.copy()
    alpha.putalpha(picture.convert("L"))
    deep = Image.fromarray((np.asarray(picture.convert("L")).astype(np.uint16)) * 257)
    frames = [picture.rotate(90 * turn) for turn in (1, 2)]
    exif = Image.Exif()
    exif[0x0112] = 6
    for name, image, options in (
        ("plain.jpg", picture, {"quality": 85}),
        ("progressive.jpg", picture, {"progressive": True}),
        ("gray.jpg", picture.convert("L"), {}),
        ("cmyk.jpg", picture.convert("CMYK"), {}),
        ("turned.jpg", picture, {"exif": exif}),
        ("restarts.jpg", picture, {"restart_marker_rows": 1, "subsampling": 0}),
        ("plain.png", picture, {}),
        ("alpha.png", alpha, {}),
        ("palette.png", picture.quantize(16), {}),
        ("deep.png", deep, {}),
        ("bits.png", picture.convert("1"), {}),
        ("animated.png", picture, {"save_all": True, "append_images": frames}),
        ("lossy.webp", picture, {"quality": 60}),
        ("lossless.webp", picture, {"lossless": True}),
        ("alpha.webp", alpha, {"exif": exif}),
        ("animated.webp", picture, {"save_all": True, "append_images": frames}),
        ("plain.gif", picture.quantize(64), {}),
        ("animated.gif", picture.quantize(64), {"save_all": True, "append_images": frames}),
        ("plain.bmp", picture, {}),
        ("palette.bmp", picture.quantize(16), {}),
        ("alpha.bmp", alpha, {}),
        ("plain.tif", picture, {}),
        ("lzw.tif", picture, {"compression": "tiff_lzw"}),
        ("deflate.tif", deep, {"compression": "tiff_adobe_deflate"}),
        ("jpeg.tif", picture, {"compression": "jpeg"}),
        ("fax.tif", picture.convert("1"), {"compression": "group4"}),
        ("pages.tif", picture, {"save_all": True, "append_images": frames, "exif": exif}),
    ):
        (FOLDER / name).write_bytes(_file(image, name, options))


def _file(image: Image.Image, name: str, options: dict[str, Any]) -> bytes:
    kind = {"jpg": "JPEG", "tif": "TIFF"}.get(name.rpartition(".")[2], name.rpartition(".")[2].upper())
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


if __name__ == "__main__":
    write_seeds()
