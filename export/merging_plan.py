"""What a merging graph is made for."""

from dataclasses import dataclass

from model.bundle import HeadsSpec, MergingSpec, Size

CHUNK = 8  # centers or classes that have maps of their own at once


@dataclass(frozen=True)
class Plan:
    """One bucket of one bundle."""

    bucket: Size
    cells: Size  # of the heads
    classes: int
    spec: HeadsSpec
    merging: MergingSpec
    things: tuple[int, ...] | None = None  # classes that are things, where scores are wanted too

    @property
    def most(self) -> int:
        """Centers, at most."""
        return min(self.merging.top_k, self.bucket[0] * self.bucket[1])
