"""COCO documents: one photograph's answer as the data set's files tell it, and several joined into one."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from model.bundle import Bundle, CategorySpec, Size
from service.pipeline.segments import Segment, segments_info

Document = dict[str, Any]


def panoptic_document(
    segments: Sequence[Segment], bundle: Bundle, size: Size, *, request_id: str, png_base64: str
) -> Document:
    """COCO's panoptic format, as panopticapi reads it.

    There the PNG is a file beside the document, of the annotation's `file_name`; here it stands in the annotation,
    as `panoptic_png`, which readers of the format pass over.
    """
    annotation = {
        "image_id": 1,
        "file_name": _png_name(1),
        "segments_info": segments_info(segments),
        "panoptic_png": png_base64,
    }
    return _document([annotation], bundle, size, request_id)


def mask_document(
    segments: Sequence[Segment],
    masks: Sequence[Mapping[str, Any]],
    bundle: Bundle,
    size: Size,
    *,
    request_id: str,
) -> Document:
    """COCO's instances format, as pycocotools reads it: an annotation with a compressed RLE for each segment.

    Args:
        masks: one a segment, {"size": [H, W], "counts": text}.
    """
    annotations = [
        _mask_annotation(number, told, mask)
        for number, (told, mask) in enumerate(zip(segments_info(segments), masks, strict=True), start=1)
    ]
    return _document(annotations, bundle, size, request_id)


def join_documents(documents: Mapping[int, Document]) -> Document:
    """One document of several, each of one photograph.

    Args:
        documents: by the number that its photograph gets, at least one.
    """
    numbers = count(1)
    images, annotations = [], []
    for image_id, document in documents.items():
        images += [image | {"id": image_id, "file_name": str(image_id)} for image in document["images"]]
        for annotation in document["annotations"]:
            renamed = {"id": next(numbers)} if "id" in annotation else {"file_name": _png_name(image_id)}
            annotations.append(annotation | {"image_id": image_id} | renamed)
    first = next(iter(documents.values()))
    return first | {"images": images, "annotations": annotations}


def known_categories(categories: Sequence[CategorySpec]) -> list[dict[str, Any]]:
    """COCO's categories: the bundle's but those answered as void."""
    return [
        {"id": each.id, "name": each.name, "isthing": int(each.isthing), "color": list(each.color)}
        for each in categories
        if not each.isvoid
    ]


def _document(annotations: list[Document], bundle: Bundle, size: Size, request_id: str) -> Document:
    manifest = bundle.manifest
    return {
        "info": {
            "description": f"Request {request_id}",
            "version": f"{manifest.name} {manifest.version}, {bundle.digest}",
        },
        "images": [{"id": 1, "file_name": "1", "width": size[1], "height": size[0]}],
        "annotations": annotations,
        "categories": known_categories(manifest.categories),
    }


def _mask_annotation(number: int, told: Mapping[str, Any], mask: Mapping[str, Any]) -> Document:
    return {
        "id": number,
        "image_id": 1,
        "category_id": told["category_id"],
        "segmentation": mask,
        **{name: told[name] for name in ("area", "bbox", "iscrowd", "score", "label", "isthing")},
        "segment_id": told["id"],
    }


def _png_name(image_id: int) -> str:
    return f"{image_id}.png"
