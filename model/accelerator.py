"""The GPU of this machine, asked without loading a network: what it is, or why there is none.

`cudaGetDeviceCount` is the question that ends well without a driver; `cuInit` raises there.
"""

from dataclasses import dataclass
from typing import Any

DRIVER_TOO_OLD = 35  # cudaErrorInsufficientDriver, also told where there is no driver at all
NO_DEVICE = 100  # cudaErrorNoDevice

# Errors after which a process can compute no more on its GPU: it has to end, and another be started.
STICKY = {
    214: "an ECC error",
    219: "an MPS server that is gone",
    700: "an illegal address",
    702: "a kernel that ran too long",
    709: "a destroyed context",
    710: "a failed assertion",
    714: "a hardware stack error",
    715: "an illegal instruction",
    716: "a misaligned address",
    717: "an invalid address space",
    718: "an invalid program counter",
    719: "a failed launch",
    999: "an unknown error",
}


class AcceleratorError(Exception):
    """There is no GPU that can be used; the message says why and what to do."""


@dataclass(frozen=True)
class Accelerator:
    """One GPU."""

    index: int
    name: str
    compute_capability: str  # "9.0" for one
    memory: int  # bytes


def import_cuda() -> Any:
    """The CUDA runtime's calls, `cuda.bindings.runtime`.

    Raises: AcceleratorError: it is not installed.
    """
    try:
        from cuda.bindings import runtime
    except ImportError as error:
        raise AcceleratorError(
            f"The CUDA runtime cannot be used here: {error}. Install it by `pip install 'panoptic-service[gpu]'`."
        ) from error
    return runtime


def find_accelerator(index: int = 0, runtime: Any = None) -> Accelerator:
    """Ask for one GPU by its number, from 0.

    Args:
        runtime: CUDA's calls, `import_cuda` where None.

    Raises: AcceleratorError: no binding, no driver, no GPU, or none of that number.
    """
    runtime = runtime or import_cuda()
    code, count = runtime.cudaGetDeviceCount()
    if int(code) in (DRIVER_TOO_OLD, NO_DEVICE):
        raise AcceleratorError(
            f"No GPU can be used here: {_words(runtime, code)}. Install NVIDIA's driver for CUDA 13 or newer, and "
            "give the container the GPU (`--gpus all`)."
        )
    if int(code):
        raise AcceleratorError(f"No GPU can be used here: {_words(runtime, code)}. See `nvidia-smi`.")
    if index >= count:
        raise AcceleratorError(
            f"There is no GPU {index}: this machine shows {count}, numbered from 0. See CUDA_VISIBLE_DEVICES."
        )
    code, properties = runtime.cudaGetDeviceProperties(index)
    if int(code):
        raise AcceleratorError(f"GPU {index} does not answer: {_words(runtime, code)}. See `nvidia-smi`.")
    name = properties.name.decode() if isinstance(properties.name, bytes) else str(properties.name)
    return Accelerator(
        index, name.rstrip("\0"), f"{properties.major}.{properties.minor}", int(properties.totalGlobalMem)
    )


def _words(runtime: Any, code: Any) -> str:
    """CUDA's own words for an error, with its number."""
    _, text = runtime.cudaGetErrorString(code)
    words = text.decode() if isinstance(text, bytes) else str(text)
    return f"{words} (CUDA error {int(code)})"
