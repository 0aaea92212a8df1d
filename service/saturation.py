"""Saturation: what is asked of this server over what it can do, in pixels a second.

    saturation = offered pixel rate / capacity

Offered is what came, answered or refused: a server that refuses half of what comes is at 2, not at 1, so that whoever
scales by it knows how many are needed and not only that more are. It adds up: that of all servers together, over the
target, is the number of servers. Where nothing was measured there is no saturation, and none is told: a server that
tells 0 while it starts would look idle.

Capacity is that of `capacity.json` for the way the machine was measured, corrected by what this server does while it
never idles: neighbours, throttled clocks and other photographs make it another one.
"""

import math
import threading
import time
from collections.abc import Callable

METRIC = "panoptic_saturation_ratio"
HELP = "Pixels asked for a second, refused ones too, over the pixels a second that this server can do."

WINDOW_S = 15.0  # of the running rate; an autoscaler looks as often
_NEWEST = 0.1  # weight of the newest measurement of the capacity
_SPELL_S = 1.0  # of work without a pause, that says something of the capacity
_TRUST = 4.0  # the measured capacity is corrected by no more than this factor, whatever one slow batch says


class Saturation:
    """Owns the running rate of one server. It is told of every photograph, by whichever thread knows of it."""

    def __init__(self, capacity: float | None = None, *, clock: Callable[[], float] = time.monotonic):
        """Start at nothing offered.

        Args:
            capacity: pixels of photographs a second, as measured; None where nothing was.
        """
        self._measured = capacity
        self._capacity = capacity
        self._clock = clock
        self._lock = threading.RLock()  # `answer` corrects
        self._then = clock()
        self._rate = 0.0  # pixels a second, an exponential mean over WINDOW_S
        self._photograph = 0.0  # pixels of a usual one
        self._busy_since: float | None = None
        self._busy_pixels = 0

    def believe(self, capacity: float | None) -> None:
        """Take another model's measured capacity for the old one's."""
        with self._lock:
            self._measured = self._capacity = capacity

    @property
    def capacity(self) -> float | None:
        """Pixels a second, as corrected."""
        return self._capacity

    @property
    def ratio(self) -> float | None:
        """Offered over capacity, 0 and more; None where the capacity is not known."""
        with self._lock:
            if not self._capacity:
                return None
            self._decay()
            return self._rate / self._capacity

    def offer(self, pixels: int) -> None:
        """Count a photograph whose size is known, taken or not."""
        with self._lock:
            self._photograph += (pixels - self._photograph) * (_NEWEST if self._photograph else 1.0)
            self._add(pixels)

    def refuse(self) -> None:
        """Count a photograph that was refused before its size was known, as a usual one."""
        with self._lock:
            self._add(self._photograph)

    def answer(self, pixels: int, *, others_wait: bool) -> None:
        """Count an answer; what is done in a spell in which others always wait is what can be done."""
        with self._lock:
            now = self._clock()
            if self._busy_since is not None:
                self._busy_pixels += pixels
                if now - self._busy_since >= _SPELL_S:
                    self.correct(self._busy_pixels, now - self._busy_since)
                    self._busy_since = None
            if not others_wait:
                self._busy_since = None
            elif self._busy_since is None:
                self._busy_since, self._busy_pixels = now, 0

    def correct(self, pixels: int, busy_s: float) -> None:
        """Correct the capacity by pixels that were answered in a time in which others always waited."""
        if busy_s <= 0:
            return
        with self._lock:
            found = pixels / busy_s
            known = self._capacity or found
            corrected = known + _NEWEST * (found - known)
            bound = self._measured or corrected
            self._capacity = min(max(corrected, bound / _TRUST), bound * _TRUST)

    def _add(self, pixels: float) -> None:
        self._decay()
        self._rate += pixels / WINDOW_S

    def _decay(self) -> None:
        now = self._clock()
        self._rate *= math.exp((self._then - now) / WINDOW_S)
        self._then = now
