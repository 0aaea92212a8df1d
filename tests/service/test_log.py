"""The log: a line for people or a JSON object for machines."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from service.log import set_up_log
from service.settings import Settings


@contextmanager
def logging_as(settings: Settings) -> Iterator[None]:
    """The process's log while the block runs; `basicConfig` does nothing where handlers are, as pytest's."""
    root = logging.getLogger()
    handlers, level, root.handlers = root.handlers, root.level, []
    try:
        set_up_log(settings)
        yield
    finally:
        root.handlers = handlers
        root.setLevel(level)


def test_a_record_is_a_line_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_as(Settings()):
        logging.getLogger("panoptic").info("%d photographs", 3)

    assert capsys.readouterr().err.endswith(" INFO panoptic: 3 photographs\n")


def test_a_record_is_a_json_object_with_all_that_it_carries(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_as(Settings(log_format="json")):
        logging.getLogger("panoptic").warning("late\nagain", extra={"request_id": "r1", "status": 504})

    (line,) = capsys.readouterr().err.splitlines()
    found = json.loads(line)
    assert found.pop("time")
    assert found == {
        "level": "WARNING",
        "logger": "panoptic",
        "message": "late\nagain",
        "request_id": "r1",
        "status": 504,
    }


def test_less_severe_records_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_as(Settings(log_level="error")):
        logging.getLogger("panoptic").warning("nothing")

    assert capsys.readouterr().err == ""
