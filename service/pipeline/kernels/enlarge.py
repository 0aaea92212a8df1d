"""Enlarging one block of a map."""

import numpy as np

from service.backends import Floats
from service.pipeline.kernels.arithmetic import mix
from service.pipeline.kernels.axis import Axis
from service.pipeline.kernels.compiler import inner


@inner
def enlarge(
    plane: Floats,
    rows: Axis,
    columns: Axis,
    r: int,
    q: int,
    scale: np.float32,
    scratch: Floats,
    block: Floats,
) -> None:
    """Bring the block of row run `r` and column run `q` to the photograph.

    Args:
        plane: (h, w) one channel of a head.
        scale: what the map is multiplied by at the network's input.
        scratch: (>= rows.scratch, >= columns.scratch), overwritten.
        block: (>= rows.longest, >= columns.longest), the result from its top left.
    """
    y0, y1, x0, x1 = rows.start[r], rows.start[r + 1], columns.start[q], columns.start[q + 1]
    if not rows.resized:
        a, b = plane[rows.first[r], columns.first[q]], plane[rows.first[r], columns.last[q]]
        c, d = plane[rows.last[r], columns.first[q]], plane[rows.last[r], columns.last[q]]
        down, across = rows.to_input, columns.to_input
        for x in range(x0, x1):
            high = mix(a, b, across.rest[x], across.weight[x])
            low = mix(c, d, across.rest[x], across.weight[x])
            for y in range(y0, y1):
                block[y - y0, x - x0] = mix(high, low, down.rest[y], down.weight[y]) * scale
        return
    top, left = rows.to_output.low[y0], columns.to_output.low[x0]
    bottom, right = rows.to_output.high[y1 - 1] + 1, columns.to_output.high[x1 - 1] + 1
    down, across = rows.to_input, columns.to_input
    for y in range(top, bottom):
        upper, lower = plane[down.low[y]], plane[down.high[y]]
        for x in range(left, right):
            high = mix(upper[across.low[x]], upper[across.high[x]], across.rest[x], across.weight[x])
            low = mix(lower[across.low[x]], lower[across.high[x]], across.rest[x], across.weight[x])
            scratch[y - top, x - left] = mix(high, low, down.rest[y], down.weight[y]) * scale
    down, across = rows.to_output, columns.to_output
    for y in range(y0, y1):
        upper, lower = scratch[down.low[y] - top], scratch[down.high[y] - top]
        for x in range(x0, x1):
            i, j = across.low[x] - left, across.high[x] - left
            high = mix(upper[i], upper[j], across.rest[x], across.weight[x])
            low = mix(lower[i], lower[j], across.rest[x], across.weight[x])
            block[y - y0, x - x0] = mix(high, low, down.rest[y], down.weight[y])
