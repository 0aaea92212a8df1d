"""Files through a server: photographs in, a PNG, a JSON and an overlay out for each."""

import json
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from service.client.client import Client
from service.client.errors import PanopticError

AT_ONCE = 4  # so that the server can batch; more would only wait there


def predict_by_server(url: str, photographs: Iterable[tuple[Path, Path]]) -> bool:
    """Have photographs segmented by a server; false where some are not.

    Args:
        photographs: each with where its answers go, a path without suffix.
    """
    with Client(url) as client, ThreadPoolExecutor(AT_ONCE) as pool:
        done = pool.map(partial(_predict, client), photographs)
        return all(list(done))


def _predict(client: Client, pair: tuple[Path, Path]) -> bool:
    photograph, target = pair
    try:
        content = photograph.read_bytes()
        answer, overlay = client.segment(content), client.overlay(content)
    except (PanopticError, OSError) as error:
        print(f"{photograph}: {error}", file=sys.stderr)
        return False
    text = json.dumps(answer.document, indent=2, ensure_ascii=False) + "\n"
    for suffix, data in ((".png", answer.png), (".json", text.encode()), (".overlay.webp", overlay)):
        target.with_name(target.name + suffix).write_bytes(data)
    print(f"{photograph}: {len(answer.segments)} segments, see {target}.overlay.webp")
    return True
