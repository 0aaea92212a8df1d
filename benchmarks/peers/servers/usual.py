"""The handler that every peer serves, written the usual way: Pillow, numpy normalisation, numpy and OpenCV, Pillow.

It runs in the peers' environments, which know nothing of this repository: PEERS_TASK names a JSON file with all that
it needs to know (`benchmarks.peers.task`).
"""

import base64
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[Any]
OUTPUTS = ("semantic", "center", "offset")
Heads = tuple[Array, Array, Array]
"""Semantic (C, h, w), center (1, h, w) and offset (2, h, w), in pixels of this map, of one picture."""


@dataclass(frozen=True)
class Task:
    """What is served, and how it is merged."""

    graph: str  # takes float32 NCHW, normalised
    runtime: str  # onnxruntime or openvino
    threads: int  # of the runtime
    size: tuple[int, int]  # rows, columns of the graph's input
    mean: tuple[float, float, float]  # RGB 0-255
    std: tuple[float, float, float]
    stride: int
    enlarge: bool  # whether heads are merged at the input's size, as published, or at their own
    category_ids: tuple[int, ...]  # 0 for classes that are void
    things: tuple[int, ...]  # class indices
    threshold: float
    nms_kernel: int
    top_k: int
    stuff_area: int  # pixels of the input
    divisor: int


Run = Callable[[Array], list[Array]]
"""(N, 3, H, W) to semantic, center and offset of all pictures."""


class Engine:
    """The graph in a runtime, and what stands around it."""

    def __init__(self) -> None:
        task = json.loads(Path(os.environ["PEERS_TASK"]).read_text(encoding="utf-8"))
        self.task = Task(**task)
        cv2.setNumThreads(1)
        self.heads: Run = RUNTIMES[self.task.runtime](self.task)

    def handle(self, data: bytes) -> bytes:
        """From a photograph's bytes to the answer's."""
        return self.handle_batch([data])[0]

    def handle_batch(self, items: list[bytes]) -> list[bytes]:
        """The same for photographs that run together."""
        heads = self.run(np.stack([self.prepare(data) for data in items]))
        return [self.finish(row) for row in heads]

    def prepare(self, data: bytes) -> Array:
        """Decode, resize and normalise: (3, H, W) float32."""
        rows, columns = self.task.size
        image = Image.open(BytesIO(data)).convert("RGB")
        if image.size != (columns, rows):
            image = image.resize((columns, rows), Image.Resampling.BILINEAR)
        pixels = np.asarray(image, np.float32)
        mean, std = np.array(self.task.mean, np.float32), np.array(self.task.std, np.float32)
        normal = (pixels - mean) / std
        return np.ascontiguousarray(normal.transpose(2, 0, 1))

    def run(self, batch: Array) -> list[Heads]:
        """(N, 3, H, W) to the heads of each picture."""
        return list(zip(*self.heads(batch), strict=True))

    def finish(self, heads: Heads) -> bytes:
        """Merge one picture's heads and write its answer."""
        ids, segments = merge(heads, self.task)
        answer = {"segments_info": segments, "panoptic_png": base64.b64encode(write_png(ids)).decode()}
        return json.dumps(answer).encode()


def open_onnxruntime(task: Task) -> Run:
    """The graph in a session of ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = task.threads
    session: Any = onnxruntime.InferenceSession(task.graph, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda batch: session.run(list(OUTPUTS), {name: batch})


def open_openvino(task: Task) -> Run:
    """The graph compiled by OpenVINO, in the precision that it takes by itself; a request for each thread."""
    import openvino

    core = openvino.Core()
    compiled: Any = core.compile_model(task.graph, "CPU", {"INFERENCE_NUM_THREADS": task.threads})
    own = threading.local()

    def run(batch: Array) -> list[Array]:
        if not hasattr(own, "request"):
            own.request = compiled.create_infer_request()
        own.request.infer([batch])
        return [np.array(own.request.get_tensor(name).data) for name in OUTPUTS]

    return run


RUNTIMES: dict[str, Callable[[Task], Run]] = {"onnxruntime": open_onnxruntime, "openvino": open_openvino}


def merge(heads: Heads, task: Task) -> tuple[Array, list[dict[str, Any]]]:
    """Heads to (H, W) ids of the input's size and their segments, by the published rules."""
    scale = 1 if task.enlarge else task.stride
    semantic, heat, offset = (enlarge(head, task.size) for head in heads) if task.enlarge else heads
    if task.enlarge:
        offset = offset * task.stride
    classes = semantic.argmax(axis=0)
    instances = assign(classes, find_centers(heat[0], task), offset, task)
    ids = name(classes, instances, task, scale)
    if scale > 1:
        ids = ids.repeat(scale, 0).repeat(scale, 1)[: task.size[0], : task.size[1]]
    return ids, describe(ids, task)


def enlarge(head: Array, size: tuple[int, int]) -> Array:
    """(C, h, w) to (C, H, W), bilinear."""
    return np.stack([cv2.resize(plane, size[::-1], interpolation=cv2.INTER_LINEAR) for plane in head])


def find_centers(heat: Array, task: Task) -> Array:
    """(K, 2), (y, x): maxima of their window above the threshold, the hottest `top_k` at most."""
    pooled = cv2.dilate(heat, np.ones((task.nms_kernel, task.nms_kernel), np.uint8))
    y, x = np.nonzero((heat == pooled) & (heat > task.threshold))
    best = np.argsort(-heat[y, x], kind="stable")[: task.top_k]
    return np.stack([y[best], x[best]], axis=1).astype(np.float32)


def assign(classes: Array, centers: Array, offset: Array, task: Task) -> Array:
    """(H, W): the number of its center for each pixel of a thing, from 1; 0 elsewhere."""
    instances = np.zeros(classes.shape, np.int32)
    y, x = np.nonzero(np.isin(classes, task.things))
    if len(centers) == 0 or len(y) == 0:
        return instances
    places = np.stack([y, x], axis=1) + offset[:, y, x].T
    nearest, least = np.zeros(len(y), np.int32), np.full(len(y), np.inf, np.float32)
    for number, center in enumerate(centers, start=1):
        distance = ((places - center) ** 2).sum(axis=1)
        closer = distance < least
        nearest[closer], least[closer] = number, distance[closer]
    instances[y, x] = nearest
    return instances


def name(classes: Array, instances: Array, task: Task, scale: int) -> Array:
    """(H, W) ids: category times divisor, plus the instance's number; 0 is void."""
    ids = np.zeros(classes.shape, np.int32)
    for index, category in enumerate(task.category_ids):
        mask = classes == index
        if index not in task.things and mask.sum() * scale**2 >= task.stuff_area:
            ids[mask] = category * task.divisor
    for number in np.unique(instances[instances > 0]):
        mask = instances == number
        most = np.bincount(classes[mask]).argmax()
        ids[mask] = task.category_ids[most] * task.divisor + number
    return ids


def describe(ids: Array, task: Task) -> list[dict[str, Any]]:
    """Area and box of each segment."""
    segments = []
    for number in np.unique(ids[ids > 0]):
        y, x = np.nonzero(ids == number)
        left, top = int(x.min()), int(y.min())
        segments.append(
            {
                "id": int(number),
                "category_id": int(number) // task.divisor,
                "isthing": int(number) % task.divisor > 0,
                "area": len(y),
                "bbox": [left, top, int(x.max()) - left + 1, int(y.max()) - top + 1],
            }
        )
    return segments


def write_png(ids: Array) -> bytes:
    """The COCO panoptic PNG: id = R + 256 G + 65536 B."""
    file = BytesIO()
    colors = np.stack([ids & 255, ids >> 8 & 255, ids >> 16 & 255], axis=2).astype(np.uint8)
    Image.fromarray(colors).save(file, "PNG")
    return file.getvalue()
