"""The device: the one that was asked for, or an error; the processor stands in only where that is allowed."""

from typing import Any

import pytest

from model.bundle import Bundle, BundleError
from service.app import device_of
from service.backends import CPU, Backend, Device, open_backend
from service.pipeline.devices import choose_on_device
from service.settings import Settings


def without_gpu(bundle: Bundle, runtime: str, precision: str, *, threads: int, device: Device) -> Backend:
    if device.gpu is not None:
        raise BundleError(f"{runtime} finds no GPU.")
    return open_backend(bundle, "onnxruntime", "fp32", threads=threads)


def with_gpu(opened: list[Any]) -> Any:
    def open_(bundle: Bundle, runtime: str, precision: str, *, threads: int, device: Device) -> Backend:
        opened.append((runtime, precision, str(device)))
        engine: Any = open_backend(bundle, "onnxruntime", "fp32", threads=threads)
        engine.gpu = object()  # as of an engine on a GPU
        return engine

    return open_


def test_a_gpu_that_is_missing_is_an_error_that_tells_both_ways_out(toy: Bundle) -> None:
    with pytest.raises(BundleError, match=r"cuda:0 was asked for\. .*finds no GPU.*--device-fallback true"):
        choose_on_device(toy, Device(0), fallback=False, threads=1, open_=without_gpu)


def test_where_it_is_allowed_the_processor_stands_in_and_the_choice_tells_why(toy: Bundle) -> None:
    choice = choose_on_device(toy, Device(0), fallback=True, threads=1, open_=without_gpu)

    assert choice.backend.device == "cpu"
    assert "finds no GPU" in choice.fallback
    choice.backend.close()


def test_on_a_gpu_tensorrt_is_tried_before_onnx_runtime(toy: Bundle) -> None:
    opened: list[Any] = []

    choice = choose_on_device(toy, Device(1), fallback=True, threads=1, open_=with_gpu(opened))

    assert opened == [("tensorrt", "fp16", "cuda:1"), ("onnxruntime", "fp32", "cuda:1")]
    assert choice.fallback == ""
    choice.backend.close()


@pytest.mark.parametrize(
    ("text", "device"), [("cpu", CPU), ("cuda", Device(0)), ("cuda:7", Device(7, tf32=False))]
)
def test_the_setting_names_the_device(text: str, device: Device) -> None:
    assert device_of(Settings(device=text)) == device


def test_the_memory_that_an_engine_may_take_is_given_in_megabytes() -> None:
    assert device_of(Settings(device="cuda", device_memory_mb=1.5)) == Device(0, 1_500_000)


def test_a_device_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="device"):
        Settings(device="gpu")
