"""The servers that are compared, as data: what each needs, how it starts, and how a photograph is sent to it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Sending = Literal["raw", "form", "infer"]
"""The photograph as the whole body, as part `image` of a form, or as a BYTES tensor of the Open Inference Protocol."""

# What the shared handler needs; numpy stays free, since some servers hold it back.
HANDLER = (
    "numpy",
    "onnxruntime>=1.31,<2",
    "openvino>=2026.4,<2027",
    "opencv-python-headless",
    "pillow>=13,<14",
)
FORMS = "python-multipart>=0.0.34,<0.1"


@dataclass(frozen=True)
class Peer:
    """A server that answers `POST path` on 127.0.0.1 until SIGTERM.

    In `command` these are filled in: {bin}, the programs of its environment; {servers}, the folder of the server
    files; {port}, the first of the `ports` in a row that are its own.
    """

    name: str
    title: str
    requirements: tuple[str, ...]
    command: tuple[str, ...]
    path: str
    sending: Sending
    ports: int = 1


class UnknownPeer(Exception):
    """A name is none of the catalogue's; the message lists those that are."""


PEERS = (
    Peer(
        "fastapi",
        "FastAPI, the usual handler",
        (*HANDLER, FORMS, "fastapi>=0.165,<1", "uvicorn>=0.54,<1", "httptools>=0.9,<1"),
        ("{bin}/uvicorn", "fastapi_app:app", "--host", "127.0.0.1", "--port", "{port}", "--no-access-log"),
        "/predict",
        "form",
    ),
    Peer(
        "litserve",
        "LitServe",
        (*HANDLER, FORMS, "litserve==0.2.19"),
        ("{bin}/python", "{servers}/litserve_app.py", "{port}"),
        "/predict",
        "form",
    ),
    Peer(
        "bentoml",
        "BentoML",
        (*HANDLER, "bentoml==1.4.39"),
        ("{bin}/bentoml", "serve", "bentoml_app:Panoptic", "--host", "127.0.0.1", "--port", "{port}"),
        "/predict",
        "form",
    ),
    Peer(
        "rayserve",
        "Ray Serve",
        (*HANDLER, "ray[serve]==2.60.0"),
        ("{bin}/python", "{servers}/rayserve_app.py", "{port}"),
        "/predict",
        "raw",
    ),
    Peer(
        "mosec",
        "Mosec",
        (*HANDLER, "mosec==0.9.8"),
        ("{bin}/python", "{servers}/mosec_app.py", "--address", "127.0.0.1", "--port", "{port}"),
        "/inference",
        "raw",
    ),
    Peer(
        "torchserve",
        "TorchServe",
        (
            *HANDLER,
            "torchserve==0.12.0",
            "torch-model-archiver==0.12.0",
            "psutil",
            "packaging",
            "pyyaml",
            "setuptools<81",
        ),
        ("{bin}/python", "{servers}/torchserve_start.py", "{port}"),
        "/predictions/panoptic",
        "raw",
        ports=5,
    ),
    Peer(
        "pytriton",
        "Triton through PyTriton",
        (*HANDLER, "nvidia-pytriton==0.7.0"),
        ("{bin}/python", "{servers}/pytriton_app.py", "{port}"),
        "/v2/models/panoptic/infer",
        "infer",
        ports=3,
    ),
)


def find_peers(names: Iterable[str]) -> tuple[Peer, ...]:
    """The peers of these names in the catalogue's order; no names are all.

    Raises: UnknownPeer: a name is none of them.
    """
    wanted = set(names)
    unknown = wanted - {peer.name for peer in PEERS}
    if unknown:
        known = ", ".join(peer.name for peer in PEERS)
        raise UnknownPeer(f"{', '.join(sorted(unknown))}: no such peer. There are {known}.")
    return tuple(peer for peer in PEERS if not wanted or peer.name in wanted)
