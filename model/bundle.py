"""The bundle: a directory that describes itself, the only thing that passes between export and service.

Format 1 is `manifest.json`, `model.onnx`, a golden picture for each bucket with its expected answer, and any number
of derived engines. The ONNX graph is the truth, engines are a cache of it. Format 2 adds figures on labelled
photographs to the certificate; a bundle without them stays in format 1, which every program reads.
"""

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

FORMAT = 2  # the newest that this program reads
MANIFEST = "manifest.json"
MODEL = "model.onnx"
QUANTIZATION = (
    "quantization.json"  # listed by a bundle whose graph is not fp32: its precision, how that was done
)

Size = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]  # rows, columns
Color = tuple[int, int, int]  # RGB 0-255
Precision = Literal["fp32", "bf16", "fp16", "int8", "fp8"]  # number format of the weights' products


class BundleError(Exception):
    """A directory is no bundle that this program can trust; the message says why and what to do."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Record):
    """Where the weights come from."""

    sha256: str  # of the checkpoint
    flavour: Literal["detectron2", "original", "own"]
    published: str | None = None  # figures and where they were printed, in words
    url: str | None = None  # where it was fetched
    pooling: Literal["published", "global"] = (
        "published"  # image pooling by the published window, or of the whole
    )


class InputSpec(_Record):
    """How a photograph becomes the graph's input: uint8 NHWC RGB.

    A photograph is scaled, antialiased and with its shape kept, to fit the bucket that gives the larger picture,
    put at the top left, and padded with `pad_value`.
    """

    name: str
    buckets: tuple[Size, ...] = Field(min_length=1)
    batch_sizes: tuple[int, ...] = Field(min_length=1)  # ascending, the first is 1
    pad_value: Color


class OutputSpec(_Record):
    """One head: float32 (N, channels, ceil(rows / stride), ceil(columns / stride))."""

    name: Literal["semantic", "center", "offset"]
    channels: int = Field(ge=1)


class HeadsSpec(_Record):
    """How heads become full-size maps."""

    stride: int = Field(ge=1)
    align_corners: bool
    outputs: tuple[OutputSpec, OutputSpec, OutputSpec]  # semantic, center, offset


class CategorySpec(_Record):
    """One class; its place in the list is its channel in the semantic logits."""

    id: int = Field(ge=0)  # the data set's own id
    name: str
    isthing: bool
    color: Color
    isvoid: bool = False  # answered as void


class MergingSpec(_Record):
    """Defaults of the merging, and the grid it is done on.

    `grid` is "output" for Detectron2's order: every head is brought to the photograph's size, offsets keep their
    numbers, and kernel and areas count pixels of the photograph. "input" is resolution-independent: centers are
    found on the network's input, votes are cast in its pixels, and areas count them.
    """

    grid: Literal["input", "output"]
    threshold: float
    nms_kernel: int = Field(ge=1)
    top_k: int = Field(ge=1)
    stuff_area: int = Field(ge=0)
    label_divisor: int = Field(ge=2)


class FileEntry(_Record):
    """A file of the bundle."""

    sha256: str
    size: int = Field(ge=0)  # bytes


class Figures(_Record):
    """How good answers are on labelled photographs, 0 to 1, over all classes that count."""

    pq: float = Field(ge=0, le=1)
    miou: float = Field(ge=0, le=1)


class Quality(_Record):
    """What a shorter number format costs: figures of `panoptic-evaluate` for the graph and for its source."""

    data: str  # in words: the data set, and by which mapping it was read
    photographs: int = Field(ge=1)
    graph: Figures
    source: Figures  # of the fp32 graph it was made of
    max_loss: float = Field(ge=0)  # points of 100 that either figure was allowed to lose


class Certificate(_Record):
    """The proof that the graph equals its source."""

    torch: str  # version
    onnxruntime: str  # version
    weights: str  # in words: trained, or which stand-in
    images: tuple[str, ...]
    max_abs_difference: dict[Literal["semantic", "center", "offset"], float]
    equal_panoptic_pixels: float = Field(ge=0, le=1)
    quality: Quality | None = None  # of a bundle of format 2 whose graph is in a shorter number format


class Golden(_Record):
    """A picture and the answer that a sound service gives to it."""

    bucket: Size
    image: str  # file, PNG of exactly the bucket's size
    panoptic: str  # file, COCO panoptic PNG
    equal_pixels: float = Field(ge=0, le=1)  # the share that must agree


class Manifest(_Record):
    """All that a bundle says of itself."""

    format: Literal[1, 2]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    version: str
    variant: str
    licence: str
    training_data: str
    source: Source
    input: InputSpec
    heads: HeadsSpec
    categories: tuple[CategorySpec, ...] = Field(min_length=1)
    merging: MergingSpec
    files: dict[str, FileEntry]
    certificate: Certificate
    goldens: tuple[Golden, ...]

    @model_validator(mode="after")
    def _holds_what_its_format_knows(self) -> Self:
        if self.format == 1 and self.certificate.quality is not None:
            raise ValueError("the certificate's quality came with format 2")
        return self


class Bundle(BaseModel):
    """A verified bundle on disk."""

    model_config = ConfigDict(frozen=True)

    path: Path
    manifest: Manifest
    digest: str  # sha256 of the manifest, which holds every file's: it names the bundle's exact content
    precision: Precision = (
        "fp32"  # number format of the graph itself; a runtime may run fp32 in a shorter one
    )

    @property
    def model(self) -> Path:
        """The ONNX graph."""
        return self.path / MODEL

    def file(self, name: str) -> Path:
        """A file that the manifest lists."""
        return self.path / name


def read_bundle(path: Path) -> Bundle:
    """Read and verify a bundle: its manifest, and the size and hash of every file.

    Raises: BundleError: it is no bundle, a newer format, or not as its manifest says.
    """
    manifest_path = path / MANIFEST
    if not manifest_path.is_file():
        raise BundleError(
            f"{path} is not a bundle: it has no {MANIFEST}. Make one with `panoptic-export CHECKPOINT --out DIR`."
        )
    text = manifest_path.read_bytes()
    manifest = _parse(path, text)
    if MODEL not in manifest.files:
        raise BundleError(f"{manifest_path} lists no {MODEL}. Export the bundle again.")
    for name, entry in manifest.files.items():
        _verify(path, name, entry)
    for golden in manifest.goldens:
        for name in (golden.image, golden.panoptic):
            if name not in manifest.files:
                raise BundleError(f"{manifest_path} names a golden {name!r} that its files do not list.")
    digest = hashlib.sha256(text).hexdigest()
    return Bundle(path=path, manifest=manifest, digest=digest, precision=_precision(path, manifest))


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write `manifest.json` into the bundle's directory, whole or not at all."""
    unknown = {"certificate": {"quality"}} if manifest.format == 1 else None  # to programs of format 1
    part = path / f"{MANIFEST}.part"
    part.write_text(manifest.model_dump_json(indent=2, exclude=unknown) + "\n", encoding="utf-8")
    part.replace(path / MANIFEST)


def file_entry(path: Path) -> FileEntry:
    """Hash a file for the manifest."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return FileEntry(sha256=digest.hexdigest(), size=path.stat().st_size)


def _parse(path: Path, text: bytes) -> Manifest:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise BundleError(f"{path / MANIFEST} is not JSON: {error}. Export the bundle again.") from error
    format_ = found.get("format") if isinstance(found, dict) else None
    if isinstance(format_, int) and format_ > FORMAT:
        raise BundleError(
            f"{path} has bundle format {format_}, this program reads up to {FORMAT}. Use a newer panoptic service."
        )
    try:
        return Manifest.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise BundleError(
            f"{path / MANIFEST} is no manifest of a format up to {FORMAT}: {place}: {first['msg']} "
            f"({error.error_count()} in all). Export the bundle again."
        ) from error


def _precision(path: Path, manifest: Manifest) -> Precision:
    """What the record of another precision tells, where there is one."""
    if QUANTIZATION not in manifest.files:
        return "fp32"
    try:
        record = json.loads((path / QUANTIZATION).read_bytes())
        return TypeAdapter(Precision).validate_python(record["precision"])
    except (ValueError, TypeError, KeyError) as error:
        raise BundleError(
            f"{path / QUANTIZATION} tells no precision that this program knows. Use a newer panoptic service, or make "
            "the bundle again with `panoptic-export quantize`."
        ) from error


def _verify(path: Path, name: str, entry: FileEntry) -> None:
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or "\\" in name:
        raise BundleError(
            f"{path / MANIFEST} lists {name!r}, which is outside of the bundle. Do not trust it."
        )
    file = path / name
    if not file.is_file():
        raise BundleError(f"{path} lacks {name}, which its manifest lists. Copy the bundle again, whole.")
    if not file.resolve().is_relative_to(path.resolve()):
        raise BundleError(f"{file} is a link out of the bundle. Do not trust it.")
    size = file.stat().st_size
    if size != entry.size:
        raise BundleError(
            f"{file} has {size} bytes, the manifest says {entry.size}. Copy the bundle again, whole."
        )
    if (found := file_entry(file).sha256) != entry.sha256:
        raise BundleError(
            f"{file} has sha256 {found[:12]}…, the manifest says {entry.sha256[:12]}…. Copy the bundle again, whole."
        )
