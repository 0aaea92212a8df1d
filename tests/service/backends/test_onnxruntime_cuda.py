"""ONNX Runtime on a GPU: the CPU provider stands in for CUDA's, and what was not asked for never runs."""

import numpy as np
import onnxruntime
import pytest

from model.bundle import Bundle, BundleError
from service.backends import Device, open_backend
from service.backends.onnxruntime_cuda import CUDA, OnnxRuntimeCuda, provider_options
from tests.service.toy import golden_scene

CPU_PROVIDER = "CPUExecutionProvider"


@pytest.mark.parametrize("count", [1, 3])
def test_bound_outputs_hold_what_a_plain_run_gives(toy: Bundle, count: int) -> None:
    batch = np.repeat(golden_scene()[None], count, axis=0)
    bound = OnnxRuntimeCuda(toy, Device(0), provider=CPU_PROVIDER)
    plain = open_backend(toy, "onnxruntime", threads=1)

    found, expected = bound.run(batch), plain.run(batch)
    bound.close()
    plain.close()

    for name in ("semantic", "center", "offset"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_without_the_package_for_gpus_it_says_what_to_install(
    toy: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU_PROVIDER])

    with pytest.raises(BundleError, match=r"has no CUDAExecutionProvider.*panoptic-service\[gpu\]"):
        open_backend(toy, "onnxruntime", threads=1, device=Device(0))


def test_a_session_that_fell_back_to_the_processor_is_refused(
    toy: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU_PROVIDER])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None)
    monkeypatch.setattr(
        onnxruntime, "InferenceSession", lambda path, **options: real(path, providers=[CPU_PROVIDER])
    )

    with pytest.raises(
        BundleError, match="CUDAExecutionProvider was asked for and CPUExecutionProvider runs"
    ):
        OnnxRuntimeCuda(toy, Device(0))


def test_a_node_that_would_run_on_the_processor_is_an_error(
    toy: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def refuse(path: str, sess_options: onnxruntime.SessionOptions, providers: object) -> None:
        told.append(sess_options.get_session_config_entry("session.disable_cpu_ep_fallback"))
        raise RuntimeError(
            "This session contains graph nodes that are assigned to the default CPU EP.\nMore."
        )

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU_PROVIDER])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None)
    monkeypatch.setattr(onnxruntime, "InferenceSession", refuse)

    with pytest.raises(BundleError, match=r"on cuda:1: This session contains .* CPU EP\. See `nvidia-smi`"):
        OnnxRuntimeCuda(toy, Device(1))
    assert told == ["1"]


def test_the_provider_is_told_device_search_arena_memory_and_tf32() -> None:
    assert provider_options(CUDA, Device(2, memory_limit=5_000_000, tf32=True)) == {
        "device_id": "2",
        "cudnn_conv_algo_search": "HEURISTIC",
        "arena_extend_strategy": "kSameAsRequested",
        "use_tf32": "1",
        "gpu_mem_limit": "5000000",
    }


def test_a_runtime_that_a_device_has_not_is_refused_with_what_to_ask_for(toy: Bundle) -> None:
    with pytest.raises(BundleError, match=r"openvino does not run on cuda:0\. Ask for --device cpu"):
        open_backend(toy, "openvino", threads=1, device=Device(0))
    with pytest.raises(BundleError, match=r"tensorrt does not run on cpu\. Ask for --device cuda"):
        open_backend(toy, "tensorrt", threads=1)


@pytest.mark.parametrize(
    ("words", "lost"),
    [
        ("CUDA failure 700: an illegal memory access was encountered ; GPU=0", True),
        ("CUDA failure 2: out of memory ; GPU=0", False),
        ("Non-zero status code returned while running Conv node.", False),
    ],
)
def test_only_an_error_that_nothing_survives_loses_the_gpu(toy: Bundle, words: str, lost: bool) -> None:
    backend = OnnxRuntimeCuda(toy, Device(0), provider=CPU_PROVIDER)

    def fail(binding: object) -> None:
        raise RuntimeError(words)

    class Session:
        io_binding = backend._session.io_binding
        run_with_iobinding = staticmethod(fail)

    backend._session = Session()
    with pytest.raises(RuntimeError):
        backend.run(golden_scene()[None])

    assert bool(backend.gpu.lost) is lost
    backend.close()


def test_the_memory_that_it_may_take_is_told(toy: Bundle) -> None:
    backend = OnnxRuntimeCuda(toy, Device(0, memory_limit=5_000_000), provider=CPU_PROVIDER)
    backend.close()

    assert backend.gpu.memory == {"limit": 5_000_000}
