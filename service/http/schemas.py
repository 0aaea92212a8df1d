"""Schemas: the answers as OpenAPI tells them; most answers are written without."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from model.bundle import Certificate, HeadsSpec, InputSpec, MergingSpec, Source


class RleMask(BaseModel):
    """A mask as pycocotools reads it."""

    size: tuple[int, int] = Field(description="Rows, columns.")
    counts: str = Field(description="COCO's compressed run lengths.")


class SegmentAnswer(BaseModel):
    """One object, or one class of stuff; lengths are pixels of the photograph."""

    id: int = Field(ge=1, description="Its number in the panoptic PNG: R + 256 G + 65536 B.")
    category_id: int = Field(description="The data set's own number of the class.")
    class_index: int = Field(description="The class's place in `/v1/model`'s categories.")
    label: str
    isthing: bool
    score: float = Field(ge=0, le=1)
    area: int = Field(ge=1, description="Its pixels in the PNG.")
    bbox: tuple[int, int, int, int] = Field(description="x, y, width, height; tight.")
    center: tuple[float, float] = Field(description="x, y: of a thing its center, of stuff its mean place.")
    iscrowd: Literal[0] = 0
    segmentation: RleMask | None = Field(None, description="Its mask, where `outputs` asks for it.")


class ModelName(BaseModel):
    """Which model answered."""

    name: str
    version: str
    digest: str = Field(description="sha256 of its manifest, which names every byte of it.")


class ImageAnswer(BaseModel):
    """The photograph, upright."""

    width: int
    height: int
    orientation_applied: bool = Field(description="Whether its EXIF orientation turned it.")
    exif_orientation: int = Field(ge=1, le=8)


class PanopticAnswer(BaseModel):
    """The answer to one photograph."""

    id: str = Field(description="The request's id.")
    model: ModelName
    image: ImageAnswer
    segments_info: list[SegmentAnswer] | None = Field(None, description="By default; `outputs` chooses.")
    timings_ms: dict[str, float]
    panoptic_png: str | None = Field(
        None, description="The COCO panoptic PNG in base64; by default, `outputs` chooses."
    )
    overlay_webp: str | None = Field(None, description="The overlay in base64, where `outputs` asks for it.")


class ProblemAnswer(BaseModel):
    """Any error, as RFC 9457 has it."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[dict[str, str]] | None = None
    limit: float | None = None
    retry_after_s: int | None = None
    available: list[str] | None = None


class ResultAnswer(BaseModel):
    """What became of one of several photographs: an answer or a problem."""

    index: int = Field(ge=0, description="Its place in the request, from 0.")
    status: int
    answer: PanopticAnswer | None = None
    problem: ProblemAnswer | None = None


class ResultsAnswer(BaseModel):
    """The answers to several photographs, in order."""

    results: list[ResultAnswer]


class CocoImage(BaseModel):
    """A photograph in COCO's files."""

    id: int
    file_name: str
    width: int
    height: int


class CocoCategory(BaseModel):
    """A class in COCO's files."""

    id: int
    name: str
    isthing: Literal[0, 1]
    color: tuple[int, int, int]


class CocoProblem(BaseModel):
    """A photograph that is not in the document, and why."""

    image_id: int
    status: int
    problem: ProblemAnswer


class CocoPanopticAnnotation(BaseModel):
    """A photograph's segments."""

    image_id: int
    file_name: str = Field(description="Where readers look for the PNG.")
    segments_info: list[SegmentAnswer]
    panoptic_png: str = Field(description="The PNG in base64.")


class CocoMaskAnnotation(BaseModel):
    """One segment."""

    id: int
    image_id: int
    category_id: int
    segmentation: RleMask
    area: int
    bbox: tuple[int, int, int, int]
    iscrowd: Literal[0]
    score: float
    label: str
    isthing: bool
    segment_id: int = Field(description="Its number in the panoptic PNG.")


class _CocoDocument(BaseModel):
    info: dict[str, str]
    images: list[CocoImage]
    categories: list[CocoCategory]
    problems: list[CocoProblem] | None = None


class CocoPanoptic(_CocoDocument):
    """COCO's panoptic format."""

    annotations: list[CocoPanopticAnnotation]


class CocoMasks(_CocoDocument):
    """COCO's instances format, with an annotation for each segment, stuff too."""

    annotations: list[CocoMaskAnnotation]


class MaskAnswer(BaseModel):
    """A segment in Hugging Face's form."""

    label: str
    score: float = Field(ge=0, le=1)
    mask: str = Field(description="A gray PNG in base64: 255 is the segment.")


class ErrorAnswer(BaseModel):
    """One of several photographs that has no answer, in Hugging Face's form."""

    error: str


class LabelAnswer(BaseModel):
    """One class."""

    id: int = Field(description="The data set's own number: `category_id` of segments.")
    class_index: int
    name: str
    isthing: bool
    isvoid: bool = Field(description="Whether it is answered as void, and so never told.")
    color: tuple[int, int, int]


class LabelsAnswer(BaseModel):
    """The classes of the model."""

    model: ModelName
    labels: list[LabelAnswer]


class BackendAnswer(BaseModel):
    """The engine, and why it runs."""

    model_config = ConfigDict(extra="allow")

    name: str
    device: str
    precision: str
    decode: str
    merging: str
    reason: str
    tried: list[dict[str, Any]]


class ModelAnswer(BaseModel):
    """What answers."""

    model_config = ConfigDict(extra="allow")

    name: str
    version: str
    variant: str
    licence: str
    training_data: str
    digest: str
    source: Source
    input: InputSpec
    heads: HeadsSpec
    categories: list[dict[str, Any]]
    merging: MergingSpec
    certificate: Certificate
    backend: BackendAnswer
    limits: dict[str, Any]
    capacity: dict[str, Any] | None


class ProbeAnswer(BaseModel):
    """What a probe is told."""

    status: str
    checks: dict[str, str | int] | None = Field(None, description="Where `?verbose` asks for it.")


class VersionAnswer(BaseModel):
    """Which build this is."""

    version: str
    model: ModelName | None = Field(description="null before the model has proved itself.")


class PingAnswer(BaseModel):
    """As TorchServe has it."""

    status: Literal["Healthy"]


class LiveAnswer(BaseModel):
    """As the Open Inference Protocol has it."""

    live: bool


class ReadyAnswer(BaseModel):
    """As the Open Inference Protocol has it."""

    ready: bool


class MetadataAnswer(BaseModel):
    """The server, as the Open Inference Protocol has it."""

    name: str
    version: str
    extensions: list[str]


class TensorAnswer(BaseModel):
    """A tensor of the model: as many elements as there are photographs."""

    name: str
    datatype: Literal["BYTES"] = "BYTES"
    shape: list[int] = [-1]


class ModelMetadataAnswer(BaseModel):
    """The model, as the Open Inference Protocol has it."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorAnswer]
    outputs: list[TensorAnswer]


class ModelReadyAnswer(BaseModel):
    """As the Open Inference Protocol has it."""

    name: str
    ready: bool
