"""Checks: what a probe is told where it asks for more than yes or no."""

from typing import Annotated

from fastapi import Query

from service.http.parts import Parts
from service.http.problems import Problem
from service.http.schemas import ProbeAnswer
from service.pipeline.predictor import Predictor

Verbose = Annotated[
    str | None,
    Query(description="Given, with a value or without, the answer tells more.", max_length=40),
]


def probed(status: str, parts: Parts, verbose: str | None) -> ProbeAnswer:
    """The answer of a probe that found nothing wrong."""
    return ProbeAnswer(status=status, checks=None if verbose is None else _checks(parts))


def require(parts: Parts, verbose: str | None) -> Predictor:
    """The predictor of a server that is ready.

    Raises: Problem: not-ready, with the checks where they are asked for.
    """
    try:
        return parts.readiness.require()
    except Problem as problem:
        if verbose is not None:
            problem.fields["checks"] = _checks(parts)
        raise


def _checks(parts: Parts) -> dict[str, str | int]:
    predictor = parts.readiness.predictor
    found: dict[str, str | int] = {"model": parts.readiness.state}
    if predictor is not None:
        found |= {
            "bundle": predictor.bundle.digest,
            "backend": predictor.backend.name,
            "waiting": predictor.batcher.depth,
        }
    return found
