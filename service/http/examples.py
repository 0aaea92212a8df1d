"""Examples: what OpenAPI shows of each body and each answer; tests send the bodies, and hold the answers to schemas."""

import base64
import json
from typing import Any

PICTURE = "GIF89a\1\0\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"
"""A GIF of one pixel, whose bytes are ASCII, so that JSON holds them as they are."""

BASE64 = base64.b64encode(PICTURE.encode("ascii")).decode()
REQUEST_ID = "0193a5c1-7b2e-7f80-9123-456789abcdef"

BODY_ONE = {"image": {"b64": BASE64}, "params": {"min_score": 0.1}}
BODY_MANY = {"images": [{"b64": BASE64}, {"b64": BASE64}], "params": {"subtask": "instance"}}
HUGGING_FACE_BODY = {"inputs": BASE64, "parameters": {"threshold": 0.1, "subtask": "panoptic"}}

_PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAAo2lUWHRzZWdtZW50c19pbmZvAAAAAABbeyJpZCI6MSwiY2F0ZWdvcnlfaWQiOjcs"
    "ImNsYXNzX2luZGV4IjowLCJsYWJlbCI6InJvYWQiLCJpc3RoaW5nIjpmYWxzZSwic2NvcmUiOjAuMTY2NywiYXJlYSI6MSwiYmJveCI6WzAsMCwx"
    "LDFdLCJjZW50ZXIiOlswLjAsMC4wXSwiaXNjcm93ZCI6MH1dVrKBtgAAADNpVFh0cmVxdWVzdF9pZAAAAAAAMDFhMmIzYzQtZDVlNi03ZjgwLTkx"
    "MjMtNDU2Nzg5YWJjZGVmh9mn9wAAAAxJREFUeF5jYmRgAAAADwAE2VGQ9gAAAABJRU5ErkJggg=="
)
_SEGMENT = {
    "id": 1,
    "category_id": 7,
    "class_index": 0,
    "label": "road",
    "isthing": False,
    "score": 0.1667,
    "area": 1,
    "bbox": [0, 0, 1, 1],
    "center": [0.0, 0.0],
    "iscrowd": 0,
}
_DIGEST = "867f9feb613f4f48ebf7db9f304c867acdf271b6a1a5b919dee8e1b8fe23449c"
_MEMBERS: dict[str, Any] = {
    "id": REQUEST_ID,
    "model": {"name": "street", "version": "1.0", "digest": _DIGEST},
    "image": {"width": 1, "height": 1, "orientation_applied": False, "exif_orientation": 1},
    "segments_info": [_SEGMENT],
    "timings_ms": {
        "decode": 0.231,
        "prepare": 0.174,
        "queue": 0.103,
        "infer": 0.239,
        "group": 1.998,
        "encode": 0.143,
        "total": 4.78,
    },
}
_PROBLEM = {
    "type": "/problems/not-an-image",
    "title": "The body is no image",
    "status": 400,
    "detail": "The body, 5 bytes, is no picture of a known format or breaks off in its header. "
    "Send JPEG, PNG, WebP, GIF, BMP or TIFF.",
    "instance": REQUEST_ID,
}

ANSWER = _MEMBERS | {"panoptic_png": _PNG}
RESULTS: dict[str, Any] = {
    "results": [
        {"index": 0, "status": 200, "answer": ANSWER},
        {"index": 1, "status": 400, "problem": _PROBLEM},
    ]
}
LINES = "".join(json.dumps(line) + "\n" for line in RESULTS["results"])
PARTS = (
    f"--x\r\nContent-Type: application/json\r\n\r\n{json.dumps(_MEMBERS)}\r\n"
    "--x\r\nContent-Type: image/png\r\n\r\n(the PNG's bytes)\r\n--x--\r\n"
)
HUGGING_FACE = [
    {
        "label": "road",
        "score": 0.1667,
        "mask": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4XmP6DwABBQECWZEFAwAAAABJRU5ErkJggg==",
    }
]

_DOCUMENT = {
    "info": {"description": f"Request {REQUEST_ID}", "version": f"street 1.0, {_DIGEST}"},
    "images": [{"id": 1, "file_name": "1", "width": 1, "height": 1}],
    "categories": [{"id": 7, "name": "road", "isthing": 0, "color": [128, 64, 128]}],
}
COCO_PANOPTIC = _DOCUMENT | {
    "annotations": [{"image_id": 1, "file_name": "1.png", "segments_info": [_SEGMENT], "panoptic_png": _PNG}]
}
COCO_MASKS = _DOCUMENT | {
    "annotations": [
        {
            "id": 1,
            "image_id": 1,
            "category_id": 7,
            "segmentation": {"size": [1, 1], "counts": "01"},
            "area": 1,
            "bbox": [0, 0, 1, 1],
            "iscrowd": 0,
            "score": 0.1667,
            "label": "road",
            "isthing": False,
            "segment_id": 1,
        }
    ]
}

INFER_REQUEST = {
    "inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": [BASE64]}],
    "outputs": [{"name": "panoptic_png"}, {"name": "answer"}],
}
INFER_ANSWER = {
    "model_name": "street",
    "model_version": "1.0",
    "outputs": [
        {"name": "panoptic_png", "datatype": "BYTES", "shape": [1], "data": [_PNG]},
        {"name": "answer", "datatype": "BYTES", "shape": [1], "data": [json.dumps(_MEMBERS)]},
    ],
}
