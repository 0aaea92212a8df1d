"""Leases: which requests work with which model, so that a model that was replaced is closed after its last one."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from service.pipeline.predictor import Predictor


class Leases:
    """Counts the requests of each predictor. It lives on the event loop."""

    def __init__(self) -> None:
        self._requests: Counter[Predictor] = Counter()
        self._waiting: dict[Predictor, asyncio.Event] = {}

    @contextmanager
    def taken(self, predictor: Predictor) -> Iterator[None]:
        """Count one request while the block lasts."""
        self._requests[predictor] += 1
        try:
            yield
        finally:
            self._requests[predictor] -= 1
            if not self._requests[predictor]:
                del self._requests[predictor]
                if predictor in self._waiting:
                    self._waiting[predictor].set()

    def predictors(self) -> set[Predictor]:
        """Those that requests work with."""
        return set(self._requests)

    async def ended(self, predictor: Predictor) -> None:
        """Wait until nobody works with a predictor that no further request gets."""
        if predictor in self._requests:
            await self._waiting.setdefault(predictor, asyncio.Event()).wait()
            del self._waiting[predictor]
