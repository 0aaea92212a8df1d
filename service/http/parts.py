"""Parts: what the routes work with, put together once by the app."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from service.http.admission import Admission
from service.http.cache import Cache
from service.http.flights import Flights
from service.http.forecast import Forecast
from service.http.gate import Gate
from service.http.readiness import Readiness
from service.metrics import Metrics
from service.pipeline.pool import Pool
from service.settings import Settings
from service.tracing import Tracing


@dataclass(frozen=True)
class Parts:
    """All that outlives a request."""

    settings: Settings
    metrics: Metrics
    tracing: Tracing
    readiness: Readiness
    admission: Admission
    forecast: Forecast
    gate: Gate
    flights: Flights
    cache: Cache
    pool: Pool  # decodes, merges, encodes


async def parts_of(request: Request) -> Parts:
    """The parts of the app that serves a request; asynchronous, or the framework would ask a thread for them."""
    parts: Parts = request.app.state.parts
    return parts


TheParts = Annotated[Parts, Depends(parts_of)]
