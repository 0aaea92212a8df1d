"""Answering: photographs walk through the served pipeline, and their answers are kept."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from tqdm import tqdm

from service.backends import Heads
from service.evaluation.answers import Answers
from service.evaluation.scores import read_heads
from service.evaluation.truth import Item
from service.pipeline.image_errors import ImageError
from service.pipeline.predictor import Predictor


@dataclass(frozen=True)
class LeftOut:
    """A photograph that has no figures."""

    name: str
    why: str


def answer_all(predictor: Predictor, items: Sequence[Item], answers: Answers) -> list[LeftOut]:
    """Answer all photographs whose answers are not kept yet; those that the service refuses are left out."""
    waiting = [item for item in items if item.name not in answers.kept]
    if len(waiting) < len(items):
        tqdm.write(f"{len(items) - len(waiting)} of {len(items)} answers are kept from before.", sys.stderr)
    left_out = []
    for item in tqdm(waiting, desc="answering", unit="photograph", disable=None):
        try:
            _answer(predictor, item, answers)
        except ImageError as error:
            left_out.append(LeftOut(item.name, f"the service refuses it: {error}"))
        except OSError as error:
            left_out.append(LeftOut(item.name, f"its photograph {item.photograph}: {error.strerror}"))
    return left_out


def _answer(predictor: Predictor, item: Item, answers: Answers) -> None:
    prepared = predictor.prepare(item.photograph.read_bytes())
    ran = predictor.submit(prepared).result()
    panoptic, _ = predictor.finish(prepared, ran)
    assert isinstance(ran.output, Heads)  # `submit` merges in the graph only where it is asked to
    answers.keep(item.name, panoptic, read_heads(ran.output, prepared.sizes, predictor.manifest, panoptic))
