"""JPEG on a GPU: a fake of the package's calls; what it cannot decode the processor does, and nobody notices."""

import logging
from collections.abc import Callable
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from model.accelerator import Accelerator, AcceleratorError
from model.bundle import Bundle, BundleError
from service.app import open_predictor
from service.backends import CPU, Device, open_jpeg_decoder
from service.backends.nvimgcodec import NvImageCodec
from service.pipeline.image_errors import ImageDamaged
from service.pipeline.images import read_photograph
from service.settings import Settings
from tests.service.conftest import Encode, photograph

LIMIT = 40_000_000
MARK = 77  # what the fake's pixels are, so that they are known from the processor's


class FakeCodec:
    """`nvidia.nvimgcodec` 0.9: a decoder answers with an image, with None, or with an error."""

    BackendKind = SimpleNamespace(GPU_ONLY="gpu", HYBRID_CPU_GPU="hybrid", HW_GPU_ONLY="hardware")

    def __init__(self, answer: Callable[[bytes], Any] | None = None, refusal: str = "") -> None:
        self.answer = answer or whole
        self.refusal = refusal
        self.told: dict[str, Any] = {}
        self.decoded = 0

    def Backend(self, kind: str) -> str:
        return kind

    def DecodeParams(self, *, apply_exif_orientation: bool) -> dict[str, bool]:
        return {"apply_exif_orientation": apply_exif_orientation}

    def CodeStream(self, data: bytes) -> bytes:
        return data

    def Decoder(self, **told: Any) -> "FakeCodec":
        if self.refusal:
            raise RuntimeError(self.refusal)
        self.told = told
        return self

    def decode(self, stream: bytes, *, params: dict[str, bool]) -> Any:
        self.told |= params
        self.decoded += 1
        return self.answer(stream)


class FakeImage:
    """An image on the GPU, whose copy on the host numpy can read."""

    def __init__(self, pixels: np.ndarray | None) -> None:
        self.pixels = pixels

    def cpu(self) -> np.ndarray | None:
        return self.pixels


def whole(data: bytes) -> FakeImage:
    with Image.open(BytesIO(data)) as image:
        return FakeImage(np.full((image.height, image.width, 3), MARK, np.uint8))


def fail(data: bytes) -> FakeImage:
    raise RuntimeError("CUDA Runtime failure: '#700'\nat some line")


@pytest.fixture
def jpeg(encode: Encode) -> bytes:
    return encode(Image.open(photograph("china.jpg")), "JPEG", quality=90)


def read(data: bytes, codec: FakeCodec, **options: Any) -> np.ndarray:
    return read_photograph(data, max_pixels=LIMIT, decoder=NvImageCodec(0, codec), **options).pixels


def test_a_jpeg_comes_from_the_gpu(jpeg: bytes) -> None:
    codec = FakeCodec()

    pixels = read(jpeg, codec)

    assert pixels.shape == (427, 640, 3)
    assert (pixels == MARK).all()
    assert codec.told["device_id"] == 0
    assert codec.told["backends"] == ["gpu", "hybrid", "hardware"]


def test_the_orientation_is_undone_once(encode: Encode) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    codec = FakeCodec()

    pixels = read(encode(Image.open(photograph("china.jpg")), "JPEG", exif=exif), codec)

    assert pixels.shape == (640, 427, 3)
    assert codec.told["apply_exif_orientation"] is False


@pytest.mark.parametrize(
    "answer",
    [
        fail,
        lambda data: None,
        lambda data: FakeImage(None),
        lambda data: FakeImage(np.zeros((427, 640, 1), np.uint8)),
        lambda data: FakeImage(np.zeros((10, 10, 3), np.uint8)),
        lambda data: FakeImage(np.zeros((427, 640, 3), np.uint16)),
    ],
    ids=["error", "none", "no copy", "gray", "another size", "16 bits"],
)
def test_what_the_gpu_cannot_decode_the_processor_does(answer: Any, jpeg: bytes) -> None:
    codec = FakeCodec(answer)

    pixels = read(jpeg, codec)

    assert codec.decoded == 1
    np.testing.assert_array_equal(pixels, read_photograph(jpeg, max_pixels=LIMIT).pixels)


def test_a_damaged_jpeg_is_refused_as_ever(jpeg: bytes) -> None:
    with pytest.raises(ImageDamaged):
        read(jpeg[: len(jpeg) // 2], FakeCodec(lambda data: None))


def test_a_jpeg_that_is_decoded_reduced_and_other_formats_stay_with_the_processor(
    jpeg: bytes, encode: Encode
) -> None:
    codec = FakeCodec()

    reduced = read(jpeg, codec, needed=lambda size: (64, 96))
    read(encode(Image.open(photograph("china.jpg")), "PNG"), codec)

    assert reduced.shape == (214, 320, 3)
    assert codec.decoded == 0


def test_only_the_first_failure_is_logged(jpeg: bytes, caplog: pytest.LogCaptureFixture) -> None:
    decoder = NvImageCodec(0, FakeCodec(fail))

    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert decoder.decode(jpeg, (427, 640)) is None

    assert [record.getMessage() for record in caplog.records] == [
        "a JPEG is decoded on the processor, as the GPU does not: CUDA Runtime failure: '#700'"
    ]


def test_a_decoder_that_cannot_be_made_is_told_in_one_sentence() -> None:
    with pytest.raises(BundleError, match=r"on cuda:1: Could not create decoder.*--decode cpu") as raised:
        NvImageCodec(1, FakeCodec(refusal="Could not create decoder\nCode: 8"))

    assert "\n" not in str(raised.value)


def test_without_a_gpu_it_is_not_even_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(device: int) -> Accelerator:
        raise AcceleratorError("No GPU can be used here.")

    monkeypatch.setattr("service.backends.nvimgcodec.find_accelerator", lacking)
    monkeypatch.setattr("service.backends.nvimgcodec.importlib", None)

    with pytest.raises(BundleError, match=r"No GPU can be used here\. Or serve with --decode cpu"):
        open_jpeg_decoder(Device(0))


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "service.backends.nvimgcodec.find_accelerator", lambda device: Accelerator(device, "Fake", "9.0", 1)
    )
    monkeypatch.setattr("service.backends.nvimgcodec._MODULE", "nvidia.no_such_package")

    with pytest.raises(BundleError, match=r"pip install 'nvidia-nvimgcodec-cu13\[nvjpeg\]'"):
        open_jpeg_decoder(Device(0))


def test_on_a_processor_it_is_refused(toy: Bundle) -> None:
    with pytest.raises(BundleError, match="--decode gpu needs a GPU"):
        open_jpeg_decoder(CPU)
    with pytest.raises(BundleError, match="--decode gpu needs a GPU"):
        open_predictor(toy, Settings(bundle=toy.path, decode="gpu", threads=1))


def test_where_the_processor_stands_in_it_decodes_too(toy: Bundle) -> None:
    settings = Settings(bundle=toy.path, decode="gpu", device="cuda", device_fallback=True, threads=1)

    predictor = open_predictor(toy, settings)
    predictor.close()

    assert predictor.decoder is None
