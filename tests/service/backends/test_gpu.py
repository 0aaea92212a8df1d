"""On a real GPU: every engine answers the embedded bundle's goldens, alone and in every row of a full batch."""

import shutil
from pathlib import Path

import pytest

from export.engine import Order, write_engine
from model.bundle import Bundle, Precision, read_bundle
from model.engine import usual_folder
from service.backends import Device, open_backend
from service.backends.tensorrt.loading import find_platform
from service.pipeline.proof import prove_golden

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def street(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A copy of the embedded bundle, which engines may be put into."""
    path = tmp_path_factory.mktemp("bundles") / "street"
    shutil.copytree(root / "service" / "bundles" / "street", path)
    return read_bundle(path)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_tensorrt_answers_every_golden(street: Bundle, precision: Precision) -> None:
    write_engine(street, usual_folder(street), Order(find_platform(0).target, precision), print)
    engine = open_backend(street, "tensorrt", precision, threads=1, device=Device(0))

    for golden in street.manifest.goldens:
        for size in (1, street.manifest.input.batch_sizes[-1]):
            prove_golden(street, engine, golden, size)
    engine.close()


def test_onnx_runtime_on_cuda_answers_every_golden(street: Bundle) -> None:
    engine = open_backend(street, "onnxruntime", "fp32", threads=1, device=Device(0))

    for golden in street.manifest.goldens:
        for size in (1, street.manifest.input.batch_sizes[-1]):
            prove_golden(street, engine, golden, size)
    engine.close()
