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
    # Places without a sign, or each index would be looked at first.
    y0, y1 = np.uint64(rows.start[r]), np.uint64(rows.start[r + 1])
    x0, x1 = np.uint64(columns.start[q]), np.uint64(columns.start[q + 1])
    if not rows.resized:
        upper, lower = plane[np.uint64(rows.first[r])], plane[np.uint64(rows.last[r])]
        i, j = np.uint64(columns.first[q]), np.uint64(columns.last[q])
        a, b, c, d = upper[i], upper[j], lower[i], lower[j]
        down, across = rows.to_input, columns.to_input
        for x in range(x0, x1):
            high = mix(a, b, across.rest[x], across.weight[x])
            low = mix(c, d, across.rest[x], across.weight[x])
            for y in range(y0, y1):
                block[y - y0, x - x0] = mix(high, low, down.rest[y], down.weight[y]) * scale
        return
    top, left = np.uint64(rows.to_output.low[y0]), np.uint64(columns.to_output.low[x0])
    below, beyond = np.uint64(rows.to_output.high[y1 - 1] + 1), np.uint64(columns.to_output.high[x1 - 1] + 1)
    down, across = rows.to_input, columns.to_input
    for y in range(top, below):
        upper, lower = plane[np.uint64(down.low[y])], plane[np.uint64(down.high[y])]
        row = scratch[y - top]
        for x in range(left, beyond):
            i, j = np.uint64(across.low[x]), np.uint64(across.high[x])
            high = mix(upper[i], upper[j], across.rest[x], across.weight[x])
            low = mix(lower[i], lower[j], across.rest[x], across.weight[x])
            row[x - left] = mix(high, low, down.rest[y], down.weight[y]) * scale
    down, across = rows.to_output, columns.to_output
    for y in range(y0, y1):
        upper, lower = scratch[np.uint64(down.low[y]) - top], scratch[np.uint64(down.high[y]) - top]
        row = block[y - y0]
        for x in range(x0, x1):
            i, j = np.uint64(across.low[x]) - left, np.uint64(across.high[x]) - left
            high = mix(upper[i], upper[j], across.rest[x], across.weight[x])
            low = mix(lower[i], lower[j], across.rest[x], across.weight[x])
            row[x - x0] = mix(high, low, down.rest[y], down.weight[y])
