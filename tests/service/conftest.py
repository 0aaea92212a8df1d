"""A toy bundle, a predictor over it, and a real server on a real socket."""

import threading
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from numpy.typing import NDArray
from PIL import Image

from model.bundle import Bundle
from service.app import create_app, open_predictor
from service.http.connection import connection_class
from service.pipeline.predictor import Predictor
from service.settings import Settings
from tests.service.toy import write_toy

Encode = Callable[..., bytes]
Serve = Callable[..., httpx.Client]


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_toy(tmp_path_factory.mktemp("bundles") / "toy")


@pytest.fixture(scope="session")
def predictor(toy: Bundle) -> Iterator[Predictor]:
    predictor = open_predictor(toy, Settings(bundle=toy.path, threads=1))
    yield predictor
    predictor.close()


@pytest.fixture(scope="session")
def encode() -> Encode:
    """Pixels or an image to the bytes of a file."""

    def write(picture: NDArray[np.uint8] | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        file = BytesIO()
        image.save(file, kind, **options)
        return file.getvalue()

    return write


def run_server(app: Any) -> tuple[uvicorn.Server, threading.Thread, int]:
    """Serve an app on a free port in a thread, as the command does."""
    settings = app.state.parts.settings
    times = {"head_timeout_s": settings.head_timeout_s, "body_timeout_s": settings.body_timeout_s}
    server = uvicorn.Server(
        uvicorn.Config(
            app, port=0, http=connection_class(**times), ws="none", log_config=None, access_log=False
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    return server, thread, server.servers[0].sockets[0].getsockname()[1]


def wait_until_ready(client: httpx.Client) -> None:
    while (answer := client.get("/readyz")).status_code != 200:
        assert "failed" not in answer.text
        time.sleep(0.01)


@pytest.fixture
def serve(toy: Bundle) -> Iterator[Serve]:
    """Start a server with settings of the test's own and a client of it."""
    running: list[tuple[uvicorn.Server, threading.Thread, httpx.Client]] = []

    def start(*, predictor: Any = None, wait: bool = True, **settings: Any) -> httpx.Client:
        app = create_app(Settings(**{"bundle": toy.path, "threads": 1, **settings}), predictor)
        server, thread, port = run_server(app)
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
        running.append((server, thread, client))
        if wait:
            wait_until_ready(client)
        return client

    yield start
    for server, thread, client in running:
        client.close()
        server.should_exit = True
        thread.join(timeout=30)


@pytest.fixture(scope="session")
def client(toy: Bundle) -> Iterator[httpx.Client]:
    """A client of one server that many tests share."""
    server, thread, port = run_server(create_app(Settings(bundle=toy.path, threads=1)))
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        wait_until_ready(client)
        yield client
    server.should_exit = True
    thread.join(timeout=30)


@pytest.fixture
def start(toy: Bundle) -> Iterator[Callable[..., Any]]:
    """Start servers of the whole app, whose engines can be held."""
    from tests.service.running import Running  # it needs what stands above

    running: list[Running] = []

    def begin(**settings: Any) -> Running:
        running.append(Running(toy, **settings))
        return running[-1]

    yield begin
    for each in running:
        each.close()


def photograph(name: str) -> Path:
    """A real photograph from a package: china.jpg, flower.jpg, rocket.jpg, coffee.png, chelsea.png."""
    for folder in (files("sklearn") / "datasets" / "images", files("skimage") / "data"):
        path = Path(str(folder)) / name
        if path.is_file():
            return path
    raise FileNotFoundError(name)
