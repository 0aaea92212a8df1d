"""ONNX Runtime on a GPU, by its CUDA provider alone."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model.accelerator import STICKY
from model.bundle import Bundle, BundleError, Precision
from model.merged import MAPS, TABLES, find_merged
from service.backends import Device, Gpu, Heads, Maps, Pictures, first_line

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
        self.name = _name(provider)
        self.device = str(device)
        self.precision: Precision = bundle.precision
        limit = device.memory_limit
        self.gpu = Gpu({} if limit is None else {"limit": limit})  # what its arena holds, it tells nobody
        self._session = _open(bundle.model, device, provider)
        self._input = bundle.manifest.input.name
        self._place = _place(device, provider)

    def run(self, batch: Pictures) -> Heads:
        """Run uint8 RGB (N, H, W, 3): heads stay on the GPU until all of them are made.

        Raises: RuntimeError: the GPU failed.
        """
        try:
            found = _run_bound(self._session, self._input, batch, _HEADS, self._place)
        except Exception as error:  # its exception classes share no public base
            self._note(error)
            raise
        return Heads(*(np.asarray(head, np.float32) for head in found))

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


class OnnxRuntimeCudaMerger:
    """The bundle's graphs with the merging in them, a session for each bucket: maps leave the GPU, heads do not.

    A GPU that is lost is told by the backend beside it, whose next run fails too.
    """

    def __init__(self, bundle: Bundle, device: Device, *, provider: str = CUDA):
        """Open the sessions; arguments and errors are those of `OnnxRuntimeCuda`."""
        self._input = bundle.manifest.input.name
        self._place = _place(device, provider)
        self._sessions: dict[tuple[int, ...], Any] = {
            bucket: _open(find_merged(bundle, bucket), device, provider)
            for bucket in bundle.manifest.input.buckets
        }

    def run(self, batch: Pictures) -> Maps:
        """Run uint8 RGB (N, H, W, 3).

        Raises: RuntimeError: the GPU failed.
        """
        session = self._sessions[batch.shape[1:3]]
        return Maps(*_run_bound(session, self._input, batch, (*MAPS, *TABLES), self._place))

    def close(self) -> None:
        """Free the sessions and what they took of the GPU."""
        self._sessions = {}


def _name(provider: str) -> str:
    import onnxruntime

    return f"ONNX Runtime {onnxruntime.__version__} with {provider.removesuffix('ExecutionProvider')}"


def _place(device: Device, provider: str) -> tuple[str, int]:
    """Where outputs are bound."""
    return ("cuda", device.gpu or 0) if provider == CUDA else ("cpu", 0)


def _open(graph: Path, device: Device, provider: str) -> Any:
    """A session of the provider and of nothing else.

    Raises: BundleError: CUDA or the driver is missing, or a node would not run there.
    """
    import onnxruntime

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
        session: Any = onnxruntime.InferenceSession(
            str(graph), sess_options=options, providers=[(provider, provider_options(provider, device))]
        )
    except Exception as error:  # its exception classes share no public base
        raise BundleError(
            f"{_name(provider)} cannot run {graph} on {device}: {first_line(error)}. See `nvidia-smi`."
        ) from error
    # Without a driver it falls back to the processor and only prints that.
    if session.get_providers()[0] != provider:
        raise BundleError(
            f"{provider} was asked for and {session.get_providers()[0]} runs: the driver or cuDNN is missing. See "
            "`nvidia-smi`."
        )
    return session


def _run_bound(
    session: Any, input_: str, batch: Pictures, outputs: Sequence[str], place: tuple[str, int]
) -> list[Any]:
    """Run with all outputs bound to the GPU, and copy them from there."""
    binding = session.io_binding()
    binding.bind_cpu_input(input_, np.ascontiguousarray(batch))
    for name in outputs:
        binding.bind_output(name, *place)
    session.run_with_iobinding(binding)
    return list(binding.copy_outputs_to_cpu())


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
