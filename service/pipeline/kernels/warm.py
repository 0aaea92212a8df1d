"""Compiling before the first photograph comes."""

import numpy as np

from service.pipeline.kernels.axis import axis
from service.pipeline.kernels.classes import rank
from service.pipeline.kernels.codes import rename
from service.pipeline.kernels.deflate import deflate
from service.pipeline.kernels.merge import merge
from service.pipeline.kernels.nearest import lay_tiles
from service.pipeline.kernels.peaks import find_peaks
from service.pipeline.kernels.scores import lay_reading, score
from service.pipeline.kernels.squares import lay_squares


def warm() -> None:
    """Load every kernel from the disk, or compile it and keep it there: seconds, once for a set of sources.

    Sizes don't matter to compiled code, so that a picture of four pixels stands for all. An image is built with
    `python -c "from service.pipeline.kernels.warm import warm; warm()"`, and its containers find what that kept.
    """
    side = axis(2, (2, 2, 2), stride=1, align_corners=False, resized=False, grid="input")
    semantic, heat = np.zeros((2, 2, 2), np.float32), np.ones((2, 2), np.float32)
    squares = lay_squares(side, side)
    y, x, _ = find_peaks(heat, side, side, squares, 0.5, 1)
    ranking = rank(semantic, heat, semantic)
    centers = lay_tiles(y.astype(np.float32), x.astype(np.float32), 2, 2)
    found = merge(semantic, semantic, ranking, side, side, squares, np.ones(2, np.bool_), centers, 1)
    classes, cells = np.zeros(len(found.counts), np.int32), np.arange(2, dtype=np.int32)
    score(semantic, ranking, found.codes, found.counts, classes, lay_reading(cells, cells))
    rename(found.codes, classes, np.empty((2, 2), np.int32))
    deflate(found.codes, np.zeros((len(found.counts), 3), np.uint8))
