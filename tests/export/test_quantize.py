"""Quantisation: an int8 bundle stands on its own, proved against the fp32 one it was made of."""

import json
import shutil
from pathlib import Path

import onnx
import pytest

from export import ExportError
from export.commands.quantize import quantize
from export.precision import graph_in
from export.quantize import is_depthwise, write_shorter
from export.tensorrt import open_runtime, parse
from model.bundle import MODEL, QUANTIZATION, Bundle, BundleError, file_entry, read_bundle, write_manifest
from tests.service.conftest import photograph


@pytest.fixture(scope="module")
def int8(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Made by the command itself; the weights are no trained ones, so little is asked of the answers."""
    out = tmp_path_factory.mktemp("quantized") / "int8"
    arguments = [str(bundle.path), "--out", str(out), "--equal-pixels", "0", "--unjudged"]
    for name in ("china.jpg", "flower.jpg"):
        arguments += ["--images", str(photograph(name))]
    quantize.main(arguments, standalone_mode=False)
    return read_bundle(out)


def test_the_convolutions_are_int8_but_depthwise_ones_and_the_last_of_each_head(int8: Bundle) -> None:
    nodes = onnx.load(int8.model).graph.node
    quantized = {output for node in nodes if node.op_type == "DequantizeLinear" for output in node.output}

    wanted = [node for node in nodes if node.op_type == "Conv" and not is_depthwise(node)]
    plain = [node for node in wanted if node.input[1] not in quantized]

    assert {output for node in plain for output in node.output} == {"semantic", "center", "offset"}


def test_what_a_convolution_gives_is_rounded_only_where_another_one_reads_it(int8: Bundle) -> None:
    nodes = onnx.load(int8.model).graph.node
    rounded = {output for node in nodes if node.op_type == "DequantizeLinear" for output in node.output}

    read = {name for node in nodes if node.op_type == "Conv" for name in node.input}

    assert rounded and rounded <= read


def test_it_is_smaller_and_says_that_it_is_int8(int8: Bundle, bundle: Bundle) -> None:
    assert (int8.precision, bundle.precision) == ("int8", "fp32")
    assert int8.manifest.files[MODEL].size < bundle.manifest.files[MODEL].size / 3


def test_its_record_names_source_tool_and_photographs(int8: Bundle, bundle: Bundle) -> None:
    record = json.loads(int8.file(QUANTIZATION).read_text())

    assert record["source"]["digest"] == bundle.digest
    assert record["tool"].startswith("onnxruntime.quantization ")
    assert record["calibration_images"] == ["china.jpg", "flower.jpg"]


def test_its_certificate_compares_it_with_fp32(int8: Bundle) -> None:
    certificate = int8.manifest.certificate

    assert certificate.images == ("china.jpg", "flower.jpg")
    assert min(certificate.max_abs_difference.values()) > 0


def test_where_more_is_lost_than_allowed_no_bundle_is_written(bundle: Bundle, tmp_path: Path) -> None:
    images = [photograph("china.jpg")]

    with pytest.raises(ExportError, match="No bundle was written; see --keep"):
        write_shorter(bundle.path, tmp_path / "int8", images, equal_pixels=1.0, report=lambda line: None)

    assert list(tmp_path.iterdir()) == []


def test_an_int8_bundle_is_not_quantised_again(int8: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="is int8 already"):
        write_shorter(
            int8.path,
            tmp_path / "out",
            [photograph("china.jpg")],
            equal_pixels=0.99,
            report=lambda line: None,
        )


def test_the_convolutions_that_are_kept_are_the_first_ones(bundle: Bundle, tmp_path: Path) -> None:
    images = [photograph("china.jpg")]

    made = write_shorter(
        bundle.path, tmp_path / "int8", images, equal_pixels=0, keep=80, report=lambda line: None
    )

    graph = onnx.load(made.model).graph
    quantized = {
        output for node in graph.node if node.op_type == "DequantizeLinear" for output in node.output
    }
    kept = [node.input[1] not in quantized for node in graph.node if node.op_type == "Conv"]
    assert all(kept[:80])
    assert not all(kept)


def test_an_fp16_bundle_is_half_as_large_and_answers_nearly_alike(bundle: Bundle, tmp_path: Path) -> None:
    made = write_shorter(
        bundle.path,
        tmp_path / "fp16",
        [photograph("china.jpg")],
        equal_pixels=0.95,
        precision="fp16",
        report=lambda line: None,
    )

    assert made.precision == "fp16"
    assert made.manifest.files[MODEL].size < bundle.manifest.files[MODEL].size * 0.6


def test_tensorrt_takes_symmetric_int8_and_nothing_else(bundle: Bundle, int8: Bundle, tmp_path: Path) -> None:
    symmetric = write_shorter(
        bundle.path,
        tmp_path / "int8",
        [photograph("china.jpg")],
        equal_pixels=0,
        symmetric=True,
        report=lambda line: None,
    )

    assert parse(open_runtime("tensorrt-rtx"), graph_in(symmetric, "int8")) == []
    with pytest.raises(ExportError, match=r"is int8 with zero points.*--symmetric"):
        graph_in(int8, "int8")


def test_a_record_without_a_known_precision_is_refused(int8: Bundle, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(int8.path, copy)
    (copy / QUANTIZATION).write_text('{"precision": "int2"}')
    files = {**int8.manifest.files, QUANTIZATION: file_entry(copy / QUANTIZATION)}
    write_manifest(copy, int8.manifest.model_copy(update={"files": files}))

    with pytest.raises(BundleError, match="tells no precision that this program knows"):
        read_bundle(copy)
