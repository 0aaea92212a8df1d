"""ONNX Runtime on a GPU, by its CUDA provider alone."""

import re
from typing import Any

import numpy as np

from model.bundle import Bundle, BundleError, Precision
from service.backends import Device, Gpu, Heads, Pictures, first_line
from service.backends.sticky import STICKY

_HEADS = ("semantic", "center", "offset")
_CUDA_CODE = re.compile(r"CUDA failure (\d+)")  # how it tells an error of CUDA's
CUDA = "CUDAExecutionProvider"


class OnnxRuntimeCuda:
    """The bundle's graph in one session on one GPU. Nothing of it may run on the processor instead."""

    lanes = 1  # a session has one stream

    def __init__(self, bundle: Bundle, device: Device, *, provider: str = CUDA):
        """Open the session.

        Args:
            provider: another one stands in where there is no GPU, in the tests.

        Raises: BundleError: CUDA or the driver is missing, or a node would not run there.
        """
        import onnxruntime

        self.name = (
            f"ONNX Runtime {onnxruntime.__version__} with {provider.removesuffix('ExecutionProvider')}"
        )
        self.device = str(device)
        self.precision: Precision = bundle.precision
        limit = device.memory_limit
        self.gpu = Gpu({} if limit is None else {"limit": limit})  # what its arena holds, it tells nobody
        self._place = ("cuda", device.gpu or 0) if provider == CUDA else ("cpu", 0)
        if provider not in onnxruntime.get_available_providers():
            raise BundleError(
                f"The installed ONNX Runtime has no {provider}. Install it by `pip install 'panoptic-service[gpu]'`; "
                "docs/development.md tells which of the two packages wins."
            )
        if provider == CUDA:
            onnxruntime.preload_dlls()  # CUDA and cuDNN lie in packages of their own
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        if provider == CUDA:
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(bundle.model),
                sess_options=options,
                providers=[(provider, provider_options(provider, device))],
            )
        except Exception as error:  # its exception classes share no public base
            raise BundleError(
                f"{self.name} cannot run {bundle.model} on {self.device}: {first_line(error)}. See `nvidia-smi`."
            ) from error
        # Without a driver it falls back to the processor and only prints that.
        if self._session.get_providers()[0] != provider:
            raise BundleError(
                f"{provider} was asked for and {self._session.get_providers()[0]} runs: the driver or cuDNN is "
                "missing. See `nvidia-smi`."
            )
        self._input = bundle.manifest.input.name

    def run(self, batch: Pictures) -> Heads:
        """Run uint8 RGB (N, H, W, 3): heads stay on the GPU until all of them are made.

        Raises: RuntimeError: the GPU failed.
        """
        binding = self._session.io_binding()
        binding.bind_cpu_input(self._input, np.ascontiguousarray(batch))
        for name in _HEADS:
            binding.bind_output(name, *self._place)
        try:
            self._session.run_with_iobinding(binding)
        except Exception as error:  # its exception classes share no public base
            self._note(error)
            raise
        return Heads(*(np.asarray(head, np.float32) for head in binding.copy_outputs_to_cpu()))

    def close(self) -> None:
        """Free the session and what it took of the GPU."""
        self._session = None

    def _note(self, error: Exception) -> None:
        """Remember an error after which the process can compute nothing more on this GPU."""
        code = _CUDA_CODE.search(str(error))
        if code and int(code[1]) in STICKY:
            self.gpu.lost = (
                f"{self.device} is lost to this process: {STICKY[int(code[1])]} (CUDA error {code[1]}). It has to be "
                "started again; see `nvidia-smi` and `dmesg`."
            )


def provider_options(provider: str, device: Device) -> dict[str, str]:
    """How the provider is told to run.

    HEURISTIC chooses a convolution's algorithm without trying all of them for each new shape. kSameAsRequested grows
    the arena by what is needed, not to the next power of two.
    """
    if provider != CUDA:
        return {}
    options = {
        "device_id": str(device.gpu or 0),
        "cudnn_conv_algo_search": "HEURISTIC",
        "arena_extend_strategy": "kSameAsRequested",
        "use_tf32": str(int(device.tf32)),
    }
    if device.memory_limit is not None:
        options["gpu_mem_limit"] = str(device.memory_limit)
    return options
