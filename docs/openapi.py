"""`make openapi`: writes docs/openapi.json, the interface as programs read it, from the app itself."""

from pathlib import Path

from service.app import create_app
from service.pipeline.encode import to_json
from service.settings import Settings

FILE = Path(__file__).parent / "openapi.json"


def document() -> bytes:
    """The document, which is the same for every model and all settings."""
    return to_json(create_app(Settings()).openapi(), indent=True) + b"\n"


if __name__ == "__main__":
    FILE.write_bytes(document())
