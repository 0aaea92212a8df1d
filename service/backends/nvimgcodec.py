"""JPEG by nvImageCodec on a GPU. Its pixels are not those of libjpeg-turbo to the last bit."""

import importlib
import logging
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.accelerator import AcceleratorError, find_accelerator
from model.bundle import BundleError, Size
from service.backends import first_line

log = logging.getLogger("panoptic")

_MODULE = "nvidia.nvimgcodec"
_ON_GPU = ("GPU_ONLY", "HYBRID_CPU_GPU", "HW_GPU_ONLY")
# As libjpeg-turbo enlarges colour, rather than by repeating pixels.
_OPTIONS = ":fancy_upsampling=1"


class NvImageCodec:
    """One decoder on one GPU; threads take turns, since its package does not say that they may share it."""

    def __init__(self, device: int, codec: Any = None):
        """Make the decoder.

        Args:
            codec: the package, imported where None.

        Raises: BundleError: the package, CUDA's binding, the driver or the GPU is missing.
        """
        self._codec = codec or _import(device)
        try:
            self._decoder: Any = self._codec.Decoder(
                device_id=device,
                backends=[self._codec.Backend(getattr(self._codec.BackendKind, kind)) for kind in _ON_GPU],
                options=_OPTIONS,
            )
            self._params = self._codec.DecodeParams(apply_exif_orientation=False)  # the service turns itself
        except Exception as error:  # it raises RuntimeError, for the most part
            raise BundleError(
                f"nvImageCodec cannot be used on cuda:{device}: {first_line(error)}. See `nvidia-smi`, or serve with "
                "--decode cpu."
            ) from error
        self._turn = threading.Lock()
        self._failed = False

    def decode(self, data: bytes, stored: Size) -> NDArray[np.uint8] | None:
        """Decode gray or colour to RGB, (H, W, 3) of the stored size; None where this cannot, and another may."""
        try:
            with self._turn:
                image = self._decoder.decode(self._codec.CodeStream(data), params=self._params)
                on_host = None if image is None else image.cpu()
                pixels = None if on_host is None else np.array(on_host)
        except Exception as error:  # as above
            self._tell(error)
            return None
        if pixels is None or pixels.dtype != np.uint8 or pixels.shape != (*stored, 3):
            return None
        return pixels

    def close(self) -> None:
        """Give the GPU's memory back."""
        self._decoder = None

    def _tell(self, error: Exception) -> None:
        """Log the first failure; each photograph's would fill the log of a GPU that is lost."""
        if not self._failed:
            log.warning("a JPEG is decoded on the processor, as the GPU does not: %s", first_line(error))
        self._failed = True


def _import(device: int) -> Any:
    """The package, once there is a GPU for it: without one it prints errors of its own while it is loaded."""
    try:
        find_accelerator(device)
        return importlib.import_module(_MODULE)
    except AcceleratorError as error:
        raise BundleError(f"{error} Or serve with --decode cpu.") from error
    except ImportError as error:
        raise BundleError(
            f"nvImageCodec cannot be used here: {first_line(error)}. Install it by `pip install "
            "'nvidia-nvimgcodec-cu13[nvjpeg]'`, or serve with --decode cpu."
        ) from error
