"""Does a server stay as it is? 20,000 mixed requests: many sizes and formats, two in a hundred bad.

Each answer is held to the laws of the interface, by Pillow and numpy and not by our own code: ids and segments are the
same, areas are pixel counts, boxes are tight; a bad photograph gets its 4xx. Ends with exit code 1 where a request was
lost, an answer broke a law, or the server's memory grew.
"""

import itertools
import json
import random
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import click
import httpx
import numpy as np
import psutil
from PIL import Image, PngImagePlugin
from tqdm import tqdm

from benchmarks.scenes import photographs
from export.null import write_null_bundle
from model.bundle import Size
from service.bench.server import Server, running_server

SIZES: tuple[Size, ...] = ((240, 320), (480, 640), (768, 1024), (1200, 900), (1024, 2048))
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
BAD_SHARE = 0.02
CALLERS = 8
LOOKS = 40  # at the memory, spread over the run
GROWTH = 0.03  # of the memory, from the second quarter of the run to the last, that is none
URL = "/v1/panoptic"


@dataclass(frozen=True)
class Asked:
    """A photograph, and what its answer must be."""

    name: str
    data: bytes
    size: Size | None  # None where it is bad


@dataclass(frozen=True)
class Found:
    """What became of a request; `broken` is empty where all is well."""

    name: str
    broken: str


@click.command("python -m benchmarks.soak")
@click.option("--requests", default=20_000, show_default=True, help="How many.")
@click.option("--seed", default=0, show_default=True, help="Of their order.")
def main(requests: int, seed: int) -> None:
    """Send mixed requests to a server of the null bundle; print what became of them and of its memory."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = write_null_bundle(Path(folder) / "null", size=(512, 1024), instances=30, classes=19)
        with running_server(bundle.path) as server:
            found, memory = _soak(server, _order(requests, seed))
    sys.exit(_tell(found, memory))


def _soak(server: Server, asked: list[Asked]) -> tuple[list[Found], list[int]]:
    """Send all; the server's memory in bytes at each look."""
    process = psutil.Process(server.pid)
    found: list[Found] = []
    memory: list[int] = []
    step = max(1, len(asked) // LOOKS)
    with httpx.Client(base_url=server.address, timeout=120) as client, ThreadPoolExecutor(CALLERS) as pool:
        for start in tqdm(range(0, len(asked), step), unit="look", disable=None):
            found += pool.map(lambda each: _ask(client, each), asked[start : start + step])
            memory.append(process.memory_info().rss)
    return found, memory


def _ask(client: httpx.Client, asked: Asked) -> Found:
    # Each is to be run: equal photographs at the same time would share one run.
    headers = {"Cache-Control": "no-cache", "Accept": "image/png"}
    try:
        answer = client.post(URL, content=asked.data, headers=headers)
    except httpx.HTTPError as error:
        return Found(asked.name, f"lost: {type(error).__name__}")
    if asked.size is None:
        refused = 400 <= answer.status_code < 500 and answer.json()["status"] == answer.status_code
        return Found(asked.name, "" if refused else f"a bad photograph got {answer.status_code}")
    if answer.status_code != 200:
        return Found(asked.name, f"{answer.status_code}: {answer.json()['detail']}")
    return Found(asked.name, _broken_law(answer.content, asked.size))


def _broken_law(png: bytes, size: Size) -> str:
    """The first law that an answer breaks; empty where it breaks none."""
    with Image.open(BytesIO(png)) as image:
        assert isinstance(image, PngImagePlugin.PngImageFile)
        rgb, segments = np.asarray(image.convert("RGB")).astype(np.int32), image.text["segments_info"]
    ids = rgb[:, :, 0] + 256 * rgb[:, :, 1] + 65536 * rgb[:, :, 2]
    if ids.shape != size:
        return f"{ids.shape} pixels for {size}"
    areas = dict(zip(*(each.tolist() for each in np.unique(ids, return_counts=True)), strict=True))
    areas.pop(0, None)
    told = {segment["id"]: segment for segment in json.loads(segments)}
    if areas != {number: segment["area"] for number, segment in told.items()}:
        return "ids or areas differ from segments_info"
    for number, segment in told.items():
        left, top, width, height = segment["bbox"]
        inside = ids[top : top + height, left : left + width] == number
        edges = (inside[0], inside[-1], inside[:, 0], inside[:, -1])
        if inside.sum() != segment["area"] or not all(edge.any() for edge in edges):
            return f"the box of {number} is not tight"
    return ""


def _order(requests: int, seed: int) -> list[Asked]:
    """Good and bad photographs in a random order, always the same of a seed."""
    chance = random.Random(seed)  # noqa: S311 - an order, no secret
    good, bad = list(_good()), list(_bad())
    return [chance.choice(bad if chance.random() < BAD_SHARE else good) for _ in range(requests)]


def _good() -> Iterator[Asked]:
    with Image.open(photographs()[0]) as image:
        whole = image.convert("RGB")
    for size, format_ in itertools.product(SIZES, FORMATS):
        file = BytesIO()
        whole.resize(size[::-1]).save(file, format_)
        yield Asked(f"{format_} {size[0]}x{size[1]}", file.getvalue(), size)


def _bad() -> Iterator[Asked]:
    photograph = photographs()[0].read_bytes()
    bomb = BytesIO()
    Image.new("L", (12_000, 9_000)).save(bomb, "PNG")
    yield Asked("empty", b"", None)
    yield Asked("text", b"no photograph" * 100, None)
    yield Asked("truncated", photograph[: len(photograph) // 2], None)
    yield Asked("108 megapixels", bomb.getvalue(), None)


def _tell(found: list[Found], memory: list[int]) -> int:
    """Print the outcome; the exit code."""
    broken = Counter(each.broken for each in found if each.broken)
    megabytes = [each / 1e6 for each in memory]
    quarter = max(1, len(megabytes) // 4)
    early, late = (
        statistics.median(part) for part in (megabytes[quarter : 2 * quarter], megabytes[-quarter:])
    )
    growth = late / early - 1
    lost = sum(count for words, count in broken.items() if words.startswith("lost"))
    print(f"{len(found)} requests, {len({each.name for each in found})} kinds: {lost} lost, ", end="")
    print(f"{sum(broken.values()) - lost} answers against the law")
    print(f"memory {early:.0f} MB in the second quarter, {late:.0f} MB in the last: {growth:+.1%}")
    for words, count in broken.most_common(10):
        print(f"{count}: {words}")
    return 1 if broken or growth > GROWTH else 0


if __name__ == "__main__":
    main()
