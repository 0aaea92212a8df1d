"""A bundle in a shorter number format: int8 and fp8 calibrated on photographs, fp16 by conversion, each proved.

The tools are ONNX Runtime's own; the one that calibrates writes pairs of QuantizeLinear and DequantizeLinear, which
every runtime here reads.
The bundle is a bundle of its own, since its graph, its proof and its licence to be served stand and fall together.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from export import ExportError
from export.bundle import built_beside, check_place
from export.certificate import Agreement, agree, open_graph, run_graph
from export.judgement import Jury, judge
from export.onnx_graph import INPUT, OUTPUTS, quiet
from export.pictures import Picture, fit, read_photograph
from export.precision import to_fp16
from export.verify import bundle_variant, prove_goldens
from model.bundle import (
    FORMAT,
    MODEL,
    QUANTIZATION,
    Bundle,
    Certificate,
    Manifest,
    Quality,
    file_entry,
    read_bundle,
    write_manifest,
)

Report = Callable[[str], None]
Shorter = Literal["int8", "fp16", "fp8"]

_TOOLS: dict[Shorter, str] = {
    "int8": "onnxruntime.quantization",
    "fp8": "onnxruntime.quantization",
    "fp16": "onnxruntime.transformers.float16",
}


# What a convolution gives is not rounded until another one reads it. Most of the loss was there: between them stand
# activations, sums and depthwise convolutions, and the last are fp32 because rounding hurts them.
_INPUTS_ALONE: dict[str, Any] = {"OpTypesToExcludeOutputQuantization": ["Conv"]}


def write_shorter(
    source: Path,
    out: Path,
    images: Sequence[Path],
    *,
    equal_pixels: float,
    keep: int = 0,
    precision: Shorter = "int8",
    symmetric: bool = False,
    jury: Jury | None = None,
    report: Report,
) -> Bundle:
    """Write and prove a bundle in a shorter format; an older bundle in its place is replaced, anything else is not.

    Args:
        images: photographs to calibrate on; the certificate compares on them, too.
        symmetric: int8 without zero points, which TensorRT wants; processors are more exact with them.
        equal_pixels: share of each golden's pixels that must be answered as in fp32, 0 to 1.
        keep: convolutions, from the input on, that stay fp32.
        jury: judges both bundles, for the certificate; None leaves its figures out.
        report: takes one line for each step.

    Raises:
        BundleError: the source cannot be trusted.
        ExportError: it is no fp32 bundle, there is no photograph, or the format loses more than `equal_pixels` or
            the jury allows.
    """
    check_place(out)
    bundle = read_bundle(source)
    if bundle.precision != "fp32":
        raise ExportError(f"{source} is {bundle.precision} already. Give the fp32 bundle it was made of.")
    spec = bundle.manifest.input
    pictures = [fit(read_photograph(path), spec.buckets, spec.pad_value) for path in images]
    if not pictures:
        raise ExportError("There is no photograph to calibrate on. Give --images a folder of some dozens.")
    with built_beside(out) as folder:
        _copy(bundle, folder)
        if precision == "fp16":
            report("converting to fp16")
            _convert(bundle.model, folder / MODEL, keep)
        else:
            report(f"calibrating on {len(pictures)} photographs")
            _quantize(bundle.model, folder / MODEL, pictures, keep, _kinds(precision, symmetric))
        report(f"comparing {precision} with fp32")
        agreement = _compare(bundle, folder / MODEL, pictures)
        _write_record(folder / QUANTIZATION, bundle, pictures, precision)
        manifest = _manifest(bundle, folder, agreement, pictures, equal_pixels, precision)
        write_manifest(folder, manifest)
        report("proving the bundle, alone and in full batches")
        made = read_bundle(folder)
        _prove(made)
        if jury is not None:
            report(f"judging fp32 and {precision} on {jury.data}")
            write_manifest(folder, _judged(manifest, judge(jury, bundle, made)))
    return read_bundle(out)


def _prove(made: Bundle) -> None:
    for check in prove_goldens(made, open_graph(made.model)):
        if not check.holds:
            raise ExportError(
                f"{check.claim}: {check.finding}. No bundle was written; see --keep, --equal-pixels."
            )


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # the library has no types
    """Pictures one by one, as the library asks for them."""

    def __init__(self, pictures: Sequence[Picture]):
        self._pictures: Iterator[Picture] = iter(pictures)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """The next input of the graph; None is the end."""
        picture = next(self._pictures, None)
        return None if picture is None else {INPUT: picture.as_batch().numpy()}


def _convert(source: Path, target: Path, keep: int) -> None:
    graph = onnx.load(str(source))
    first = [node.name for node in graph.graph.node if node.op_type == "Conv"][:keep]
    onnx.save(to_fp16(graph, first), str(target))


def _kinds(precision: Shorter, symmetric: bool) -> dict[str, Any]:
    """Types of weights and activations, as the library asks for them."""
    if precision == "fp8":
        kind = QuantType.QFLOAT8E4M3FN
        return {
            "activation_type": kind,
            "weight_type": kind,
            "calibrate_method": CalibrationMethod.Distribution,
            "extra_options": {"QuantizeBias": False},
        }
    if not symmetric:
        return {
            "activation_type": QuantType.QUInt8,
            "weight_type": QuantType.QInt8,
            "extra_options": dict(_INPUTS_ALONE),
        }
    return {
        "activation_type": QuantType.QInt8,
        "weight_type": QuantType.QInt8,
        "extra_options": {
            **_INPUTS_ALONE,
            "ActivationSymmetric": True,
            "QuantizeBias": False,  # TensorRT takes no int32
        },
    }


def _quantize(
    source: Path, target: Path, pictures: Sequence[Picture], keep: int, kinds: dict[str, Any]
) -> None:
    graph = onnx.load(str(source))
    with tempfile.TemporaryDirectory() as folder, quiet():
        raw = Path(folder) / MODEL
        quantize_static(
            graph,
            raw,
            _Reader(pictures),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=_kept(graph, keep),
            per_channel=True,
            **kinds,
        )
        shutil.copyfile(raw, target)


def _kept(graph: onnx.ModelProto, keep: int) -> list[str]:
    """Names of the convolutions that stay fp32.

    Depthwise ones do little of the arithmetic and lose most; the last of each head is small, and its numbers are the
    answer.
    """
    convolutions = [node for node in graph.graph.node if node.op_type == "Conv"]
    return [
        node.name
        for index, node in enumerate(convolutions)
        if index < keep or is_depthwise(node) or set(node.output) & set(OUTPUTS)
    ]


def is_depthwise(node: onnx.NodeProto) -> bool:
    """Whether a convolution works on groups of its channels."""
    return any(attribute.name == "group" and attribute.i > 1 for attribute in node.attribute)


def _copy(bundle: Bundle, folder: Path) -> None:
    """All that the manifest lists but the graph."""
    for name in bundle.manifest.files.keys() - {MODEL}:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bundle.file(name), folder / name)


def _compare(bundle: Bundle, quantized: Path, pictures: Sequence[Picture]) -> Agreement:
    fp32, int8 = open_graph(bundle.model), open_graph(quantized)
    runs = (
        (run_graph(fp32, picture.as_batch()), run_graph(int8, picture.as_batch())) for picture in pictures
    )
    return agree(runs, pictures, bundle_variant(bundle), bundle.manifest.merging)


def _write_record(path: Path, source: Bundle, pictures: Sequence[Picture], precision: Shorter) -> None:
    record: dict[str, Any] = {
        "precision": precision,
        "tool": f"{_TOOLS[precision]} {onnxruntime.__version__}",
        "source": {"name": source.manifest.name, "digest": source.digest},
        "calibration_images": [picture.name for picture in pictures],
    }
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _manifest(
    source: Bundle,
    folder: Path,
    agreement: Agreement,
    pictures: Sequence[Picture],
    equal_pixels: float,
    precision: Shorter,
) -> Manifest:
    manifest = source.manifest
    names = sorted({*manifest.files, QUANTIZATION})
    certificate = Certificate(
        torch=manifest.certificate.torch,
        onnxruntime=onnxruntime.__version__,
        weights=f"{manifest.certificate.weights}; {precision}, compared with the fp32 graph of {source.digest}",
        images=tuple(picture.name for picture in pictures),
        max_abs_difference=agreement.differences,
        equal_panoptic_pixels=agreement.equal_pixels,
    )
    goldens = tuple(golden.model_copy(update={"equal_pixels": equal_pixels}) for golden in manifest.goldens)
    return manifest.model_copy(
        update={
            "name": f"{manifest.name}-{precision}",
            "files": {name: file_entry(folder / name) for name in names},
            "certificate": certificate,
            "goldens": goldens,
        }
    )


def _judged(manifest: Manifest, quality: Quality) -> Manifest:
    certificate = manifest.certificate.model_copy(update={"quality": quality})
    return manifest.model_copy(update={"format": FORMAT, "certificate": certificate})
