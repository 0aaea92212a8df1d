"""An engine from its file: believed only where its record fits what is here."""

import importlib
import logging
from dataclasses import dataclass
from typing import Any

from model.accelerator import Accelerator, AcceleratorError, find_accelerator, import_cuda
from model.bundle import Bundle, BundleError, Precision
from model.engine import (
    EngineError,
    EngineRecord,
    Target,
    engine_path,
    misfits,
    read_record,
    usual_folder,
)
from service.backends import first_line

log = logging.getLogger("panoptic")

MODULES: dict[Target, str] = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}


@dataclass(frozen=True)
class Platform:
    """What an engine runs by: CUDA's calls, TensorRT, and the GPU."""

    cuda: Any  # cuda.bindings.runtime
    tensorrt: Any
    target: Target
    accelerator: Accelerator

    @property
    def version(self) -> str:
        """Version of TensorRT."""
        return str(self.tensorrt.__version__)


def find_platform(device: int) -> Platform:
    """What is installed here, `tensorrt` before `tensorrt-rtx`. The driver is asked first.

    Raises: BundleError: CUDA's binding, the driver, the GPU or TensorRT is missing.
    """
    try:
        cuda = import_cuda()
        accelerator = find_accelerator(device, cuda)
    except AcceleratorError as error:
        raise BundleError(str(error)) from error
    reasons = []
    for target, module in MODULES.items():
        try:
            return Platform(cuda, importlib.import_module(module), target, accelerator)
        except ImportError as error:
            reasons.append(first_line(error))
    raise BundleError(
        f"TensorRT cannot be used here: {'; '.join(reasons)}. Install it by `pip install tensorrt` or `pip install "
        "'panoptic-service[tensorrt-rtx]'`, or serve with --backend onnxruntime."
    )


def load_engine(bundle: Bundle, precision: Precision, platform: Platform) -> tuple[Any, EngineRecord]:
    """Read an engine of the bundle, check it against its record and against what is here, and open it.

    Raises: BundleError: there is none, or it was built for something else, or TensorRT does not take it.
    """
    path = engine_path(usual_folder(bundle), platform.target, precision)
    again = f"Build it with `panoptic-export engine {bundle.path} --target {platform.target} --precision {precision}`"
    try:
        record = read_record(path)
    except EngineError as error:
        raise BundleError(f"{error} {again}.") from error
    found = misfits(
        record,
        bundle,
        runtime=platform.version,
        device=platform.accelerator.name,
        compute_capability=platform.accelerator.compute_capability,
    )
    if found:
        raise BundleError(f"{path} was not built for this: {'; '.join(found)}. {again}.")
    logger = platform.tensorrt.Logger(platform.tensorrt.Logger.WARNING)
    engine = platform.tensorrt.Runtime(logger).deserialize_cuda_engine(path.read_bytes())
    if engine is None:
        raise BundleError(f"TensorRT {platform.version} does not take {path}. {again} --anew.")
    return engine, record
