"""The result cache: what the network said of the photographs that came last, bounded in bytes, off by default.

Heads are kept rather than written answers: one entry serves every option and form of answer, and each answer carries
its own request's id and timings. What is kept of one caller's key is never found by another's.
"""

from dataclasses import dataclass, replace

import numpy as np
from cachetools import LRUCache

from service.http.addresses import Photograph
from service.http.answers import Asked
from service.http.flights import Seen

_NAMES = 16_384  # answers that can be asked for again, each a few hundred bytes


@dataclass(frozen=True)
class Name:
    """What an address of an answer stands for."""

    photograph: Photograph
    asked: Asked


class Cache:
    """Photographs by key and answers by address, the least recently used first out. It lives on the event loop."""

    def __init__(self, max_bytes: int):
        """Start empty; 0 keeps nothing."""
        self._seen: LRUCache[Photograph, Seen] = LRUCache(max_bytes, getsizeof=_bytes)
        self._names: LRUCache[tuple[str, str], Name] = LRUCache(_NAMES)

    @property
    def on(self) -> bool:
        """Whether anything is kept."""
        return self._seen.maxsize > 0

    def get(self, photograph: Photograph) -> Seen | None:
        """What is known of a photograph."""
        return self._seen.get(photograph)

    def keep(self, photograph: Photograph, seen: Seen) -> None:
        """Keep a photograph, unless it alone is larger than the cache."""
        if _bytes(seen) <= self._seen.maxsize:
            self._seen[photograph] = seen

    def name(self, caller: str, digest: str, name: Name) -> None:
        """Remember what an address stands for."""
        self._names[caller, digest] = name

    def find(self, caller: str, digest: str) -> tuple[Name, Seen] | None:
        """An answer by its address; None where it was never given to this caller, or is kept no longer."""
        name = self._names.get((caller, digest))
        seen = name and self._seen.get(name.photograph)
        return (name, seen) if name and seen else None


def to_keep(seen: Seen) -> Seen:
    """The photograph without what merging does not need, and without timings, which are one request's.

    What the network said is copied: it is a row of its batch, all of which it would keep.
    """
    prepared = replace(seen.prepared, picture=np.empty((0, 0, 3), np.uint8), timings_ms={})
    return Seen(prepared, replace(seen.ran, output=seen.ran.output.copy(), timings_ms={}), kept=True)


def _bytes(seen: Seen) -> int:
    kept, shown = seen.ran.output.nbytes, seen.prepared.shown
    return kept if shown is None else kept + shown.nbytes
