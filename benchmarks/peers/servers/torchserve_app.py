"""TorchServe's handler, one function of a module, not its BaseHandler, which is made for torch."""

from typing import Any

from usual import Engine

_engines: list[Engine] = []


def handle(data: list[dict[str, Any]] | None, context: Any) -> list[bytes] | None:
    """Answer a batch; the first call, without data, loads the graph."""
    if not _engines:
        _engines.append(Engine())
    if data is None:
        return None
    for index in range(len(data)):
        context.set_response_content_type(index, "application/json")
    return _engines[0].handle_batch([bytes(row.get("data") or row.get("body") or b"") for row in data])
