"""Stand-in weights and pictures, made of names and seeds alone, so that two programs can share them unshipped.

Every array is drawn from numpy's PCG64: u is uniform on [0, 1), v = 2 u - 1 on [-1, 1).
"""

from collections.abc import Mapping
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.network.panoptic_deeplab import PanopticDeepLab
from model.variants import Variant

PICTURE_SEED = 20191125
DISCS = 14
NOISE = 40  # width of the uniform noise, of 255


def stand_in_network(variant: Variant, seed: int = 0) -> PanopticDeepLab:
    """A network of the variant in eval mode, its weights filled by our own names."""
    network = PanopticDeepLab(variant)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    network.load_state_dict(stand_in_weights(shapes, seed))
    return network.eval()


def stand_in_weights(shapes: Mapping[str, tuple[int, ...]], seed: int = 0) -> dict[str, Tensor]:
    """Fill a whole state dict."""
    return {name: torch.from_numpy(fill(name, shape, seed)) for name, shape in shapes.items()}


def fill(name: str, shape: tuple[int, ...], seed: int = 0) -> NDArray[np.float32] | NDArray[np.int64]:
    """Fill one parameter by the ending of its name.

    Running means and biases are 0.1 v, running variances 0.5 + u, scales of norms 1 + 0.1 v, convolutions v scaled
    to the variance 1 / fan-in, or 2 / fan-in where they are depthwise; counts of batches are 0.
    """
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    u = _generator(crc32(name.encode()), seed, *shape).random(shape)
    v = 2.0 * u - 1.0
    if name.endswith("running_var"):
        values = 0.5 + u
    elif name.endswith(("running_mean", "bias")):
        values = 0.1 * v
    elif len(shape) == 1:
        values = 1.0 + 0.1 * v
    else:
        gain = 2.0 if shape[1] == 1 else 1.0
        values = v * np.sqrt(3.0 * gain / float(np.prod(shape[1:])))
    return np.asarray(values, dtype=np.float32)


def picture(rows: int, columns: int, seed: int = 0) -> NDArray[np.uint8]:
    """Draw gradients, discs and noise: (rows, columns, 3) RGB 0-255."""
    generator = _generator(PICTURE_SEED, seed, rows, columns)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float64)
    image = np.stack([_wave(y / rows, x / columns, *generator.random(3)) for _ in range(3)], axis=-1)
    for _ in range(DISCS):
        center_y, center_x, radius, *color = generator.random(6)
        distance = (y - center_y * rows) ** 2 + (x - center_x * columns) ** 2
        image[distance < (0.03 + 0.10 * radius) ** 2 * rows * columns] = np.array(color) * 255
    image += (generator.random((rows, columns, 3)) - 0.5) * NOISE
    return np.clip(np.floor(image), 0, 255).astype(np.uint8)


def _wave(
    y: NDArray[np.float64], x: NDArray[np.float64], along_x: float, along_y: float, phase: float
) -> NDArray[np.float64]:
    turns = x * (1 + 3 * along_x) + y * (1 + 3 * along_y) + phase
    return np.asarray(110 + 70 * np.sin(2 * np.pi * turns))


def _generator(*entropy: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(entropy))
