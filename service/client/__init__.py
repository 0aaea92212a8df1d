"""The client: photographs to a server and its answers back, as numpy ids and typed segments.

    with Client("http://127.0.0.1:8000") as client:
        answer = client.segment(Path("photo.jpg"))

It needs the extra `client`, and nothing else of this project: `AsyncClient` is the same with `await`.
"""

from service.client.client import AsyncClient, Client, Photograph
from service.client.coco import write_coco
from service.client.errors import PanopticError, Refused, Unanswered
from service.client.results import ModelName, Segment, Segmentation

__all__ = [
    "AsyncClient",
    "Client",
    "ModelName",
    "PanopticError",
    "Photograph",
    "Refused",
    "Segment",
    "Segmentation",
    "Unanswered",
    "write_coco",
]
