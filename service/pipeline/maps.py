"""From one picture's maps, of a graph with the merging in it, to its panoptic ids and segments.

Equal to `service.pipeline.panoptic.merge_heads` where the photograph has the bucket's own size, scores to the rounding
of their sums.
"""

import numpy as np
from numpy.typing import NDArray

from model.bundle import Manifest, MergingSpec
from model.fit import Sizes
from model.reading import Numbers, middles, nearest_cells
from service.backends import Maps
from service.pipeline.kernels.codes import AREA, Codes
from service.pipeline.kernels.maps import lay_maps
from service.pipeline.kernels.scores import NO_CLASS
from service.pipeline.panoptic import Centers, Panoptic, settle
from service.pipeline.soundness import check_maps


def merge_maps(
    maps: Maps, sizes: Sizes, manifest: Manifest, merging: MergingSpec, *, min_score: float = 0.0
) -> Panoptic:
    """Name and score what the maps of one picture hold.

    Args:
        maps: N = 1.
        sizes: all equal.
        merging: what it says of centers is the graph's.

    Raises: HeadsNotFinite: the graph found that the heads are no numbers, or names what there is not.
    """
    check_maps(maps)
    places = maps.places[0]
    count = int((places >= 0).sum())  # they come first
    y, x = np.divmod(places[:count], sizes.input[1])
    isthing = np.array([category.isthing for category in manifest.categories])
    found = lay_maps(maps.classes[0], maps.instances[0], isthing, count)

    def chances_of(classes: Numbers) -> NDArray[np.float64]:
        return _chances(maps, found, classes, _read(sizes, manifest))

    centers = Centers(y, x, maps.heat[0, :count])
    return settle(found, centers, chances_of, sizes, manifest, merging, min_score=min_score)


def _read(sizes: Sizes, manifest: Manifest) -> tuple[Numbers, Numbers]:
    """Rows and columns that are read, one a cell."""
    rows, columns = (
        middles(nearest_cells(-(-sizes.input[side] // manifest.heads.stride), sizes, manifest.heads, side))
        for side in (0, 1)
    )
    return rows, columns


def _chances(
    maps: Maps, found: Codes, classes: Numbers, read: tuple[Numbers, Numbers]
) -> NDArray[np.float64]:
    """The mean probability of every code's class, as `service.pipeline.kernels.scores.score` gives it."""
    codes = np.arange(classes.size)
    categories = maps.sampled.shape[2]
    rows = np.maximum(codes - categories + 1, 0)
    hits = np.bincount(found.codes[np.ix_(*read)].ravel(), minlength=classes.size)
    sums = np.where(hits > 0, maps.sampled[0, rows, classes], maps.whole[0, rows, classes])
    counts = np.where(hits > 0, hits, found.counts[:, AREA])
    return np.where(classes == NO_CLASS, 0.0, sums.astype(np.float64) / np.maximum(counts, 1))
