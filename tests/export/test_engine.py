"""Engines: built here by TensorRT-RTX, which needs no GPU, and never used for what they were not built for."""

import threading
from pathlib import Path

import pytest
from click.testing import CliRunner
from filelock import FileLock

from export import ExportError
from export.commands.engine import engine
from export.engine import LOCK, Built, Order, profiles_of, write_engine
from export.tensorrt import Runtime, open_runtime
from model.accelerator import AcceleratorError
from model.bundle import MODEL, Bundle, read_bundle
from model.engine import EngineError, engine_path, misfits, read_record, record_path

RTX = Order("tensorrt-rtx", "fp32")


def silent(line: str) -> None:
    """Takes the progress of tests that do not look at it."""


@pytest.fixture(scope="module")
def bundle(root: Path) -> Bundle:
    """The embedded one: nothing needs to be exported."""
    return read_bundle(root / "service" / "bundles" / "street")


@pytest.fixture(scope="module")
def built(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return write_engine(bundle, tmp_path_factory.mktemp("engines"), RTX, silent)


def test_the_command_builds_an_engine_and_tells_its_phases(bundle: Bundle, tmp_path: Path) -> None:
    arguments = [str(bundle.path), "--target", "tensorrt-rtx", "--precision", "fp16", "--out", str(tmp_path)]

    result = CliRunner().invoke(engine, arguments)

    assert result.exit_code == 0, result.output
    assert "s: building engine" in result.stderr
    assert "tensorrt-rtx-fp16.engine: tensorrt-rtx" in result.stdout


def test_the_record_tells_what_the_engine_was_built_of(built: Built, bundle: Bundle) -> None:
    record = read_record(built.path)

    assert record.model_sha256 == bundle.manifest.files[MODEL].sha256
    assert record.size == built.path.stat().st_size
    assert (record.target, record.precision, record.flags) == ("tensorrt-rtx", "fp32", ("STRONGLY_TYPED",))


def test_an_engine_has_a_profile_a_bucket_in_all_batches_of_the_bundle(bundle: Bundle) -> None:
    profiles = profiles_of(bundle)

    assert [(each.bucket, each.least, each.most) for each in profiles] == [
        ((384, 512), 1, 8),
        ((512, 384), 1, 8),
    ]


def test_bf16_and_fp16_are_other_graphs_and_smaller_engines(
    built: Built, bundle: Bundle, tmp_path: Path
) -> None:
    half = [write_engine(bundle, tmp_path, Order("tensorrt-rtx", each), silent) for each in ("fp16", "bf16")]

    assert len({each.record.graph_sha256 for each in (built, *half)}) == 3
    assert max(each.record.size for each in half) < built.record.size


def test_an_engine_that_fits_is_kept(built: Built, bundle: Bundle) -> None:
    again = write_engine(bundle, built.path.parent, RTX, silent)

    assert again.reused
    assert again.record == built.record


def test_an_engine_of_another_graph_is_built_anew(bundle: Bundle, built: Built, tmp_path: Path) -> None:
    path = engine_path(tmp_path, "tensorrt-rtx", "fp32")
    path.write_bytes(built.path.read_bytes())
    record = built.record.model_copy(update={"model_sha256": "0" * 64})
    record_path(path).write_text(record.model_dump_json())

    again = write_engine(bundle, tmp_path, RTX, silent)

    assert not again.reused


def test_two_builders_of_one_directory_build_once(bundle: Bundle, tmp_path: Path) -> None:
    found: list[Built] = []
    builders = [
        threading.Thread(target=lambda: found.append(write_engine(bundle, tmp_path, RTX, silent)))
        for _ in range(2)
    ]
    for each in builders:
        each.start()
    for each in builders:
        each.join()

    assert sorted(each.reused for each in found) == [False, True]


def test_a_builder_that_waits_too_long_for_another_says_so(bundle: Bundle, tmp_path: Path) -> None:
    order = Order("tensorrt-rtx", "fp32", patience_s=0.05)

    with FileLock(tmp_path / LOCK), pytest.raises(ExportError, match="Another program has been building"):
        write_engine(bundle, tmp_path, order, silent)


def test_a_build_that_fails_leaves_no_engine(bundle: Bundle, tmp_path: Path) -> None:
    rtx = open_runtime("tensorrt-rtx")

    class NoBuilder:
        """The parser and the builder, which gives nothing."""

        def __init__(self, logger: object) -> None:
            self.real = rtx.module.Builder(logger)

        def __getattr__(self, name: str) -> object:
            return getattr(self.real, name)

        def build_serialized_network(self, network: object, config: object) -> None:
            return None

    class Module:
        """TensorRT-RTX but for its builder."""

        Builder = NoBuilder

        def __getattr__(self, name: str) -> object:
            return getattr(rtx.module, name)

    with pytest.raises(ExportError, match="cannot build the graph"):
        write_engine(bundle, tmp_path, RTX, silent, open_=lambda target: Runtime(target, Module(), "1.0"))

    assert not list(tmp_path.glob("*.engine"))


def test_tensorrt_without_a_gpu_is_told_what_builds_without_one(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(index: int) -> None:
        raise AcceleratorError("No GPU can be used here.")

    monkeypatch.setattr("export.engine.find_accelerator", none)

    with pytest.raises(ExportError, match="--target tensorrt-rtx builds without one"):
        write_engine(
            bundle,
            tmp_path,
            Order("tensorrt", "fp32"),
            silent,
            open_=lambda target: Runtime(target, None, "11.4"),
        )


def test_int8_of_an_fp32_bundle_is_refused_with_the_command_that_makes_it(
    bundle: Bundle, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match="quantize --precision int8 --symmetric"):
        write_engine(bundle, tmp_path, Order("tensorrt-rtx", "int8"), silent)


@pytest.mark.parametrize(
    ("here", "told"),
    [
        ({"runtime": "9.9"}, "TensorRT was 1.7.1.116, here it is 9.9"),
        ({"device": "NVIDIA L4"}, "the GPU was NVIDIA H100, here it is NVIDIA L4"),
        ({"compute_capability": "8.9"}, "compute capability was 9.0, here it is 8.9"),
    ],
)
def test_what_an_engine_was_not_built_for_is_named(
    built: Built, bundle: Bundle, here: dict[str, str], told: str
) -> None:
    record = built.record.model_copy(
        update={"device": "NVIDIA H100", "compute_capability": "9.0", "runtime": "1.7.1.116"}
    )
    same = {"runtime": "1.7.1.116", "device": "NVIDIA H100", "compute_capability": "9.0"}

    assert misfits(record, bundle, **same) == []
    assert misfits(record, bundle, **{**same, **here}) == [told]


def test_a_larger_batch_than_the_profile_takes_is_named(built: Built, bundle: Bundle) -> None:
    spec = bundle.manifest.input.model_copy(update={"batch_sizes": (1, 2, 4, 9)})
    larger = bundle.model_copy(update={"manifest": bundle.manifest.model_copy(update={"input": spec})})

    found = misfits(built.record, larger, runtime=built.record.runtime, device=None, compute_capability=None)

    assert found == [f"{size} in batches up to 9 has no profile" for size in ("384x512", "512x384")]


def test_an_engine_with_a_changed_byte_is_not_trusted(built: Built, tmp_path: Path) -> None:
    path = tmp_path / built.path.name
    content = bytearray(built.path.read_bytes())
    content[100] ^= 1
    path.write_bytes(bytes(content))
    record_path(path).write_bytes(record_path(built.path).read_bytes())

    with pytest.raises(EngineError, match="Do not trust it"):
        read_record(path)


def test_a_record_that_is_none_is_refused_in_one_sentence(built: Built, tmp_path: Path) -> None:
    path = tmp_path / built.path.name
    path.write_bytes(b"engine")
    record_path(path).write_text("{}")

    with pytest.raises(EngineError, match=r"is no record of an engine: .*Build it again") as raised:
        read_record(path)

    assert "\n" not in str(raised.value)
