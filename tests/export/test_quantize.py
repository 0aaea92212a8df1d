"""Quantisation: an int8 bundle stands on its own, proved against the fp32 one it was made of."""

import json
from pathlib import Path

import onnx
import pytest

from export import ExportError
from export.commands.quantize import quantize
from export.quantize import is_depthwise, write_int8
from model.bundle import MODEL, QUANTIZATION, Bundle, read_bundle
from tests.service.conftest import photograph


@pytest.fixture(scope="module")
def int8(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Made by the command itself; the weights are no trained ones, so little is asked of the answers."""
    out = tmp_path_factory.mktemp("quantized") / "int8"
    arguments = [str(bundle.path), "--out", str(out), "--equal-pixels", "0"]
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
        write_int8(bundle.path, tmp_path / "int8", images, equal_pixels=1.0, report=lambda line: None)

    assert list(tmp_path.iterdir()) == []


def test_an_int8_bundle_is_not_quantised_again(int8: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="is int8 already"):
        write_int8(
            int8.path,
            tmp_path / "out",
            [photograph("china.jpg")],
            equal_pixels=0.99,
            report=lambda line: None,
        )


def test_the_convolutions_that_are_kept_are_the_first_ones(bundle: Bundle, tmp_path: Path) -> None:
    images = [photograph("china.jpg")]

    made = write_int8(
        bundle.path, tmp_path / "int8", images, equal_pixels=0, keep=80, report=lambda line: None
    )

    graph = onnx.load(made.model).graph
    quantized = {
        output for node in graph.node if node.op_type == "DequantizeLinear" for output in node.output
    }
    kept = [node.input[1] not in quantized for node in graph.node if node.op_type == "Conv"]
    assert all(kept[:80])
    assert not all(kept)
