"""Pictures for the proofs: photographs brought to a bucket's size as the service brings them, or stand-ins."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from export import ExportError
from model.bundle import Color, Size
from model.fit import Sizes, choose_bucket
from model.fit import fit as fit_pixels
from model.parity import stand_in


@dataclass(frozen=True)
class Photograph:
    """A photograph as it was taken."""

    name: str
    image: Image.Image  # RGB


@dataclass(frozen=True)
class Picture:
    """One input of the graph."""

    name: str
    image: NDArray[np.uint8]  # (H, W, 3) RGB, of a bucket's size
    sizes: Sizes

    def as_batch(self) -> torch.Tensor:
        """(1, H, W, 3) uint8."""
        return torch.from_numpy(self.image)[None]


def read_photograph(path: Path) -> Photograph:
    """Read RGB, turned as its EXIF orientation says.

    Raises: ExportError: there is no such file, or it is no picture.
    """
    try:
        with Image.open(path) as image:
            return Photograph(path.name, ImageOps.exif_transpose(image).convert("RGB"))
    except FileNotFoundError as error:
        raise ExportError(f"there is no photograph {path}. Give a JPEG or PNG file.") from error
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError) as error:
        raise ExportError(f"{path} is no readable picture ({error}). Give a JPEG or PNG file.") from error


def fit(photograph: Photograph, buckets: tuple[Size, ...], pad_value: Color) -> Picture:
    """Bring a photograph to its bucket as the service does.

    The answer is asked for at the fitted size: what follows is the same for every graph.
    """
    pixels = np.asarray(photograph.image)
    bucket = choose_bucket((pixels.shape[0], pixels.shape[1]), buckets)
    image, sizes = fit_pixels(pixels, bucket, pad_value)
    return Picture(photograph.name, image, replace(sizes, output=sizes.fitted))


def cover(photograph: Photograph, bucket: Size) -> Picture:
    """Scale and crop a photograph, around its middle, to exactly the bucket's size."""
    image = np.asarray(ImageOps.fit(photograph.image, bucket[::-1], Image.Resampling.BILINEAR))
    return exact(f"{photograph.name} {bucket[0]}x{bucket[1]}", image)


def stand_in_picture(bucket: Size) -> Picture:
    """A drawn picture of exactly the bucket's size, for want of a photograph."""
    return exact(f"stand-in {bucket[0]}x{bucket[1]}", stand_in.picture(*bucket))


def exact(name: str, image: NDArray[np.uint8]) -> Picture:
    """A picture that has its bucket's size already."""
    size = (image.shape[0], image.shape[1])
    return Picture(name, np.array(image), Sizes(input=size, fitted=size, output=size))
