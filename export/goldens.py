"""Goldens: a picture of each bucket's size with the answer that a sound service gives to it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from export.certificate import answer, run_network
from export.pictures import Photograph, Picture, cover, exact, stand_in_picture
from model.bundle import Bundle, Golden, MergingSpec, Size
from model.network.panoptic_deeplab import PanopticDeepLab

FOLDER = "goldens"


def write_goldens(
    folder: Path,
    network: PanopticDeepLab,
    buckets: Sequence[Size],
    photograph: Photograph | None,
    merging: MergingSpec,
    equal_pixels: float,
) -> list[tuple[Golden, Picture]]:
    """Write picture and expected answer for every bucket; torch and the plain merging give the answer.

    Args:
        folder:     the bundle's directory.
        photograph: None draws a picture.
        equal_pixels: share of them that an engine must answer alike, 0 to 1.
    """
    (folder / FOLDER).mkdir()
    goldens = []
    for bucket in buckets:
        picture = _picture(photograph, bucket)
        labels = answer(run_network(network, picture.as_batch()), picture, network.variant, merging)
        stem = f"{FOLDER}/{bucket[0]}x{bucket[1]}"
        golden = Golden(
            bucket=bucket, image=f"{stem}.png", panoptic=f"{stem}.panoptic.png", equal_pixels=equal_pixels
        )
        Image.fromarray(picture.image).save(folder / golden.image)
        Image.fromarray(encode_labels(labels)).save(folder / golden.panoptic)
        goldens.append((golden, picture))
    return goldens


def read_golden(bundle: Bundle, golden: Golden) -> tuple[Picture, NDArray[np.int64]]:
    """Read a golden's picture and its expected segment ids, (H, W)."""
    with Image.open(bundle.file(golden.image)) as image:
        picture = exact(golden.image, np.asarray(image.convert("RGB")))
    with Image.open(bundle.file(golden.panoptic)) as image:
        return picture, decode_ids(np.asarray(image.convert("RGB")))


def encode_labels(labels: torch.Tensor) -> NDArray[np.uint8]:
    """(H, W) labels, -1 void, to a COCO panoptic picture: id = label + 1 = R + 256 G + 65536 B."""
    ids = labels.numpy() + 1
    return np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=-1).astype(np.uint8)


def decode_ids(image: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(H, W, 3) COCO panoptic picture to (H, W) segment ids, 0 void."""
    return image.astype(np.int64) @ np.array([1, 256, 65536])


def _picture(photograph: Photograph | None, bucket: Size) -> Picture:
    if photograph is None:
        return stand_in_picture(bucket)
    return cover(photograph, bucket)
