"""Codes from the maps of a graph that has the merging in it."""

import numpy as np
from numpy.typing import NDArray

from service.backends import Indices
from service.pipeline.kernels.codes import Codes, lay, no_codes
from service.pipeline.kernels.compiler import entry

_NONE = -1


def lay_maps(classes: Indices, instances: Indices, isthing: NDArray[np.bool_], crowd: int) -> Codes:
    """Write and count every pixel's code.

    Args:
        classes: (H, W) below C.
        instances: (H, W) 1 to `crowd`; anything where that is 0.
        isthing: (C,).
        crowd: how many centers there are.
    """
    rows, columns = classes.shape
    found = no_codes(rows, columns, isthing.size, crowd)
    _lay_maps(classes, instances, isthing, crowd, found)
    return found


@entry
def _lay_maps(
    classes: Indices, instances: Indices, isthing: NDArray[np.bool_], crowd: int, found: Codes
) -> None:
    """Lay down pixels of one code side by side together."""
    for y in range(classes.shape[0]):
        open_code, open_x = _NONE, 0
        for x in range(classes.shape[1]):
            label = code = int(classes[y, x])
            if crowd > 0 and isthing[label]:
                owner = int(instances[y, x]) - 1
                found.votes[owner, label] += 1
                code = isthing.size + owner
            if code != open_code:
                if open_code >= 0:
                    lay(found, y, y + 1, open_x, x, open_code)
                open_code, open_x = code, x
        lay(found, y, y + 1, open_x, classes.shape[1], open_code)
