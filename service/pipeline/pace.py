"""How long the engine takes for a batch, as measured, and which size of batch is the best to run."""

import math
from collections.abc import Callable, Hashable, Sequence

_NEWEST = 0.2  # weight of the newest batch in the running mean
_GAIN = 0.03  # share of an image's time that a larger batch must save, or the smaller answers sooner
_PAYS = 0.1  # share that it must save when it is first measured, or its memory is not worth it


class Pace:
    """Running means of a batch's seconds, for each key and size."""

    def __init__(self, sizes: Sequence[int]):
        """Start knowing nothing.

        Args:
            sizes: allowed batch sizes, 1 among them.
        """
        self.sizes = tuple(sorted(sizes))
        self._seconds: dict[tuple[Hashable, int], float] = {}

    def keep(self, sizes: Sequence[int]) -> None:
        """Leave out the sizes that are not among these."""
        self.sizes = tuple(size for size in self.sizes if size in sizes)

    def learn(self, key: Hashable, size: int, seconds: float) -> None:
        """Take a batch into the mean of its kind."""
        known = self._seconds.get((key, size), seconds)
        self._seconds[key, size] = known + _NEWEST * (seconds - known)

    def seconds(self, key: Hashable, size: int) -> float:
        """Expected time of a batch; of a size that never ran from the nearest that did, 0 where none did."""
        if (key, size) in self._seconds:
            return self._seconds[key, size]
        known = [each for each in self.sizes if (key, each) in self._seconds]
        if not known:
            return 0.0
        nearest = min(known, key=lambda each: abs(each - size))
        return self._seconds[key, nearest] * max(1.0, size / nearest)

    def seconds_per_item(self, key: Hashable) -> float:
        """Expected time of one item where many wait."""
        return min(self.seconds(key, size) / size for size in self.sizes)

    def choose(self, key: Hashable, count: int, *, within: float) -> int:
        """The size for a batch when `count` items wait: the least time an item, of nearly equal ones the smallest.

        A size above `count` is run with padding, which pays where the engine takes as long for three as for four.

        Args:
            within: seconds until the first of them must be done; a size that takes longer is left out while a
                smaller one does not.
        """
        useful = [size for size in self.sizes if size < count]
        useful.append(next((size for size in self.sizes if size >= count), self.sizes[-1]))
        useful = list(dict.fromkeys(useful))
        timely = [size for size in useful if self.seconds(key, size) <= within] or useful[:1]
        best = timely[0]
        for size in timely[1:]:
            if self._each(key, size, count) <= self._each(key, best, count) * (1 - _GAIN):
                best = size
        return best

    def _each(self, key: Hashable, size: int, count: int) -> float:
        seconds = self.seconds(key, size)
        return seconds / min(size, count) if seconds else 1.0 / min(size, count)


def worthwhile(seconds_of: Callable[[int], float], sizes: Sequence[int]) -> dict[int, float]:
    """Measure batch sizes, the smallest first, up to the first that saves nothing an image.

    Args:
        seconds_of: runs a batch of a size.
    Returns: seconds of those that pay: {size: seconds}. On a processor's cores that is mostly 1 alone.
    """
    found: dict[int, float] = {}
    least = math.inf
    for size in sorted(sizes):
        seconds = seconds_of(size)
        if seconds / size > least * (1 - _PAYS):
            break
        found[size], least = seconds, seconds / size
    return found
