"""The log: one line a record on stderr, for people or as JSON for machines."""

import logging

from pythonjsonlogger.orjson import OrjsonFormatter

from service.settings import Settings

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def set_up_log(settings: Settings) -> None:
    """Write to stderr from the settings' level on, in their format."""
    handler = logging.StreamHandler()
    handler.setFormatter(_json() if settings.log_format == "json" else logging.Formatter(_TEXT))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    logging.raiseExceptions = False  # a log that cannot be written, as on a full disk, ends no request
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


def _json() -> logging.Formatter:
    """Time (ISO 8601, UTC), level, logger and message, and what a record carries beside them."""
    return OrjsonFormatter(
        "{levelname}{name}{message}",
        style="{",
        rename_fields={"levelname": "level", "name": "logger"},
        timestamp="time",
    )
