"""A batch that was run, for those who count and trace."""

from dataclasses import dataclass

from service.pipeline.batcher import Reason


@dataclass(frozen=True)
class Batch:
    """What went through the engine together."""

    number: int  # from 1 on
    images: int
    size: int  # rows that were run, those that only fill up too
    reason: Reason
    waited_s: tuple[float, ...]  # of each image, for the engine
    seconds: float  # that it ran; it has just ended
    pixels: int  # of the input, all rows together
    photograph_pixels: int  # those of them that show a photograph
    origins: tuple[object, ...]  # of each image, as `Predictor.submit` was given them

    @property
    def padding_ratio(self) -> float:
        """Share of the pixels that show no photograph: borders, and rows that only fill up."""
        return 1 - self.photograph_pixels / self.pixels
