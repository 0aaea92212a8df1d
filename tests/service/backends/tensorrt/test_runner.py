"""TensorRT's runner on a fake GPU: right answers, overlap, and a clear end to every failure, with nothing left."""

import hashlib
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from model.accelerator import AcceleratorError
from model.bundle import MODEL, Bundle, BundleError
from model.engine import EngineRecord, Profile, engine_path, record_path, usual_folder
from service.backends import Pictures
from service.backends.tensorrt.loading import find_platform
from service.backends.tensorrt.runner import BatchFailed, TensorRt
from tests.service.backends.tensorrt.fake import LOADED, FakeEngine, Machine, compute, platform
from tests.service.toy import write_toy

CONTENT = b"an engine"


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The toy, and an engine beside it."""
    bundle = write_toy(tmp_path_factory.mktemp("bundle") / "toy")
    write_record(bundle)
    return bundle


def write_record(bundle: Bundle, **other: Any) -> None:
    spec = bundle.manifest.input
    most = spec.batch_sizes[-1]
    record = EngineRecord(
        target="tensorrt",
        runtime="11.4.0",
        device="NVIDIA Fake",
        compute_capability="9.0",
        precision="fp32",
        profiles=tuple(Profile(bucket=each, least=1, best=most, most=most) for each in spec.buckets),
        model_sha256=bundle.manifest.files[MODEL].sha256,
        graph_sha256="0" * 64,
        flags=("STRONGLY_TYPED",),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        size=len(CONTENT),
        seconds=1.0,
    ).model_copy(update=other)
    path = engine_path(usual_folder(bundle), "tensorrt", "fp32")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(CONTENT)
    record_path(path).write_text(record.model_dump_json())


def channels(bundle: Bundle) -> dict[str, int]:
    return {output.name: output.channels for output in bundle.manifest.heads.outputs}


def open_runner(bundle: Bundle, machine: Machine, **options: Any) -> TensorRt:
    spec = bundle.manifest.input
    most = spec.batch_sizes[-1]
    profiles = tuple(Profile(bucket=each, least=1, best=most, most=most) for each in spec.buckets)
    engine = FakeEngine(machine, spec.name, channels(bundle), profiles)
    return TensorRt(bundle, "fp32", platform=platform(machine, engine), **options)


def pictures(bundle: Bundle, count: int, bucket: int = 0, seed: int = 0) -> Pictures:
    rows, columns = bundle.manifest.input.buckets[bucket]
    return np.random.default_rng(seed).integers(0, 256, (count, rows, columns, 3)).astype(np.uint8)


def assert_answers(runner: TensorRt, bundle: Bundle, batch: Pictures) -> None:
    heads = runner.run(batch)
    for name, expected in compute(batch, channels(bundle)).items():
        np.testing.assert_array_equal(getattr(heads, name), expected)


def test_every_bucket_and_batch_is_answered_row_by_row_again_and_again(
    bundle: Bundle, machine: Machine
) -> None:
    runner = open_runner(bundle, machine)

    for seed in range(3):
        for bucket in range(len(bundle.manifest.input.buckets)):
            for count in bundle.manifest.input.batch_sizes:
                assert_answers(runner, bundle, pictures(bundle, count, bucket, seed))
    runner.close()

    assert machine.leaks() == Counter()


def test_two_batches_are_under_way_at_once_and_keep_apart(bundle: Bundle, machine: Machine) -> None:
    runner = open_runner(bundle, machine)
    batches = [pictures(bundle, 2, seed=seed) for seed in (1, 2)]

    running = [runner.start(batch) for batch in batches]
    heads = [runner.finish(each) for each in reversed(running)][::-1]
    runner.close()

    assert machine.most_waiting == 2
    for batch, found in zip(batches, heads, strict=True):
        np.testing.assert_array_equal(found.center, compute(batch, channels(bundle))["center"])


def test_the_heads_of_a_batch_outlive_the_next_one(bundle: Bundle, machine: Machine) -> None:
    runner = open_runner(bundle, machine, lanes=1)
    first = runner.run(pictures(bundle, 1, seed=1))
    kept = first.semantic.copy()

    runner.run(pictures(bundle, 1, seed=2))
    runner.close()

    np.testing.assert_array_equal(first.semantic, kept)


def test_a_batch_that_was_run_before_takes_no_memory_and_launches_one_graph(
    bundle: Bundle, machine: Machine
) -> None:
    runner = open_runner(bundle, machine, lanes=1)
    runner.run(pictures(bundle, 2))
    before = machine.calls.copy()

    runner.run(pictures(bundle, 2, seed=1))

    made = machine.calls - before
    assert made == Counter(
        {
            "cudaSetDevice": 2,
            "cudaMemcpyAsync": 4,
            "cudaGraphLaunch": 1,
            "cudaStreamSynchronize": 1,
            "kernel": 1,
        }
    )
    runner.close()


def test_bytes_go_in_and_heads_at_network_stride_come_out(bundle: Bundle, machine: Machine) -> None:
    runner = open_runner(bundle, machine, lanes=1)
    batch = pictures(bundle, 2)
    heads = runner.run(batch)
    runner.close()

    assert machine.copied == {
        "in": batch.nbytes,
        "out": heads.semantic.nbytes + heads.center.nbytes + heads.offset.nbytes,
    }


def test_the_memory_it_takes_is_told_and_all_of_it_is_taken_at_the_start(
    bundle: Bundle, machine: Machine
) -> None:
    runner = open_runner(bundle, machine)
    taken = Counter[str]()
    for kind, content in machine.alive.values():
        if kind in ("device", "pinned"):
            taken[kind] += len(content)

    memory = runner.gpu.memory
    assert memory["buffers"] + memory["scratch"] == taken["device"]
    assert memory["pinned"] == taken["pinned"]
    assert memory["engine"] == LOADED
    runner.close()


@pytest.mark.parametrize(
    ("call", "time", "told"),
    [
        ("cudaSetDevice", 1, "cudaSetDevice: out of memory"),
        ("cudaMemGetInfo", 1, "cudaMemGetInfo: out of memory"),
        ("deserialize_cuda_engine", 1, "does not take"),
        ("cudaStreamCreateWithFlags", 1, "cudaStreamCreateWithFlags"),
        ("cudaStreamCreateWithFlags", 2, "cudaStreamCreateWithFlags"),
        ("cudaMalloc", 1, "cudaMalloc: out of memory"),
        ("cudaMalloc", 5, "cudaMalloc: out of memory"),
        ("cudaMalloc", 9, "cudaMalloc: out of memory"),
        ("cudaMallocHost", 1, "cudaMallocHost: out of memory"),
        ("cudaMallocHost", 7, "cudaMallocHost: out of memory"),
    ],
)
def test_what_fails_at_the_start_is_told_and_leaves_nothing(
    bundle: Bundle, machine: Machine, call: str, time: int, told: str
) -> None:
    machine.fail(call, time)

    with pytest.raises(BundleError, match=told) as raised:
        open_runner(bundle, machine)

    assert "\n" not in str(raised.value)
    assert machine.leaks() == Counter()


@pytest.mark.parametrize(
    ("call", "time", "told"),
    [
        ("cudaSetDevice", 1, "cudaSetDevice"),
        ("cudaSetDevice", 2, "cudaSetDevice"),
        ("create_execution_context", 1, "lack of GPU memory"),
        ("set_optimization_profile_async", 1, "refuses profile 0"),
        ("set_input_shape", 1, "refuses the shape"),
        ("set_tensor_address", 1, "refuses the address of images"),
        ("set_tensor_address", 3, "refuses the address of center"),
        ("execute_async_v3", 1, "refuses a batch"),
        ("cudaMemcpyAsync", 1, "cudaMemcpyAsync: out of memory"),
        ("cudaMemcpyAsync", 3, "cudaMemcpyAsync: out of memory"),
        ("cudaStreamSynchronize", 1, "cudaStreamSynchronize"),
        ("cudaStreamSynchronize", 2, "cudaStreamSynchronize"),
        ("kernel", 1, "out of memory"),
        ("kernel", 2, "out of memory"),
        ("cudaGraphLaunch", 1, "cudaGraphLaunch"),
    ],
)
def test_what_fails_in_a_batch_is_told_and_the_next_one_is_answered(
    bundle: Bundle, machine: Machine, call: str, time: int, told: str
) -> None:
    runner = open_runner(bundle, machine, lanes=1)
    machine.fail(call, time)

    with pytest.raises(BatchFailed, match=told):
        runner.run(pictures(bundle, 2))

    assert_answers(runner, bundle, pictures(bundle, 2, seed=1))
    runner.close()
    assert machine.leaks() == Counter()


@pytest.mark.parametrize("call", ["cudaStreamBeginCapture", "cudaStreamEndCapture", "cudaGraphInstantiate"])
def test_without_a_cuda_graph_kernels_are_launched_one_by_one(
    bundle: Bundle, machine: Machine, call: str
) -> None:
    runner = open_runner(bundle, machine, lanes=1)
    machine.fail(call)

    for seed in range(2):
        assert_answers(runner, bundle, pictures(bundle, 2, seed=seed))

    assert machine.calls["cudaGraphLaunch"] == 0
    runner.close()


@pytest.mark.parametrize("call", ["kernel", "cudaStreamSynchronize", "cudaMemcpyAsync", "cudaGraphLaunch"])
@pytest.mark.parametrize("code", [700, 719])
def test_a_gpu_that_is_lost_answers_nothing_more_and_says_so_each_time(
    bundle: Bundle, machine: Machine, call: str, code: int
) -> None:
    runner = open_runner(bundle, machine)
    machine.fail(call, code=code)

    for _ in range(3):
        with pytest.raises(BatchFailed, match=rf"cuda:0 is lost to this process: .*\(CUDA error {code}\)"):
            runner.run(pictures(bundle, 1))
    assert f"CUDA error {code}" in runner.gpu.lost
    runner.close()


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"runtime": "11.3.0"}, "TensorRT was 11.3.0, here it is 11.4.0"),
        ({"device": "NVIDIA L4"}, "the GPU was NVIDIA L4, here it is NVIDIA Fake"),
        ({"compute_capability": "8.9"}, "compute capability was 8.9, here it is 9.0"),
        ({"model_sha256": "1" * 64}, "the graph was 111111111111"),
        ({"sha256": "1" * 64}, "Do not trust it"),
        ({"profiles": (Profile(bucket=(96, 128), least=1, best=1, most=1),)}, "has no profile"),
    ],
)
def test_an_engine_that_was_built_for_something_else_is_refused_with_the_command_that_builds_it(
    tmp_path: Path, machine: Machine, other: dict[str, Any], told: str
) -> None:
    bundle = write_toy(tmp_path / "toy")
    write_record(bundle, **other)

    with pytest.raises(BundleError, match=f"{told}.*panoptic-export engine"):
        open_runner(bundle, machine)

    assert machine.leaks() == Counter()


def test_a_missing_engine_is_told_with_the_command_that_builds_it(tmp_path: Path, machine: Machine) -> None:
    bundle = write_toy(tmp_path / "toy")

    with pytest.raises(
        BundleError, match=r"There is no .*tensorrt-fp32\.engine.*--target tensorrt --precision fp32"
    ):
        open_runner(bundle, machine)


def test_an_engine_with_other_tensors_is_refused(bundle: Bundle, machine: Machine) -> None:
    engine = FakeEngine(machine, "pixels", channels(bundle), ())

    with pytest.raises(BundleError, match="pixels"):
        TensorRt(bundle, "fp32", platform=platform(machine, engine))


def test_more_memory_than_is_allowed_is_refused_before_it_is_taken(bundle: Bundle, machine: Machine) -> None:
    with pytest.raises(BundleError, match=r"MB of the GPU, 0 MB are allowed \(PANOPTIC_DEVICE_MEMORY_MB\)"):
        open_runner(bundle, machine, memory_limit=1000)

    assert machine.calls["cudaMalloc"] == 0


def test_a_batch_without_a_profile_is_refused_and_harms_nothing(bundle: Bundle, machine: Machine) -> None:
    runner = open_runner(bundle, machine, lanes=1)

    with pytest.raises(BatchFailed, match="has no profile for 1 pictures of 32x32"):
        runner.run(np.zeros((1, 32, 32, 3), np.uint8))

    assert_answers(runner, bundle, pictures(bundle, 1))
    runner.close()


@pytest.mark.parametrize(
    ("code", "count", "told"),
    [
        (35, 0, "Install NVIDIA's driver"),
        (100, 0, "Install NVIDIA's driver"),
        (3, 0, "See `nvidia-smi`"),
        (0, 1, "There is no GPU 1: this machine shows 1"),
    ],
)
def test_a_gpu_that_is_not_there_is_told_before_tensorrt_is_asked(
    monkeypatch: pytest.MonkeyPatch, code: int, count: int, told: str
) -> None:
    runtime = SimpleNamespace(
        cudaGetDeviceCount=lambda: (code, count), cudaGetErrorString=lambda code: (0, b"no driver")
    )
    monkeypatch.setattr("service.backends.tensorrt.loading.import_cuda", lambda: runtime)

    with pytest.raises(BundleError, match=told):
        find_platform(1)


def test_cuda_that_is_not_installed_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking() -> None:
        raise AcceleratorError("The CUDA runtime cannot be used here.")

    monkeypatch.setattr("service.backends.tensorrt.loading.import_cuda", lacking)

    with pytest.raises(BundleError, match="The CUDA runtime cannot be used here"):
        find_platform(0)
