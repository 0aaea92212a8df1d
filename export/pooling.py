"""The image pooling that a graph needs at its buckets.

Published networks slide a window over the coarsest feature, as large as the feature of the crop they were trained or
tested on, and end in an error where the feature is smaller. A window that covers the whole feature is a global pooling:
that is what a graph gets whose buckets are no larger than the window, and so small buckets can be served too.
"""

from export import ExportError
from model.bundle import Size
from model.fit import both_ways_up
from model.variants import Variant, with_pooling


def usual_buckets(size: Size, variant: Variant) -> tuple[Size, ...]:
    """A size and, where one graph can pool both, that size turned."""
    both = both_ways_up(size)
    return both if _fits(variant, both) else (size,)


def pool_for(variant: Variant, buckets: tuple[Size, ...]) -> Variant:
    """The variant with the pooling that the buckets need: its own, or a global one.

    Raises: ExportError: some buckets are smaller than the window and others larger, so that no one graph is right.
    """
    if variant.pooling_kernel is None or _slides(variant, buckets):
        return variant
    if not _covered(variant, buckets):
        rows, columns = _window(variant)
        raise ExportError(
            f"the buckets {', '.join(f'{size[0]}x{size[1]}' for size in buckets)} mix sides below and above the window"
            f" of {variant.name}'s image pooling, {rows}x{columns} pixels, and one graph has one pooling. Give buckets"
            " that are all at least as large, or all at most."
        )
    return with_pooling(variant, None)


def _fits(variant: Variant, buckets: tuple[Size, ...]) -> bool:
    return variant.pooling_kernel is None or _slides(variant, buckets) or _covered(variant, buckets)


def _slides(variant: Variant, buckets: tuple[Size, ...]) -> bool:
    """The window has room in each bucket."""
    window = _window(variant)
    return all(size[0] >= window[0] and size[1] >= window[1] for size in buckets)


def _covered(variant: Variant, buckets: tuple[Size, ...]) -> bool:
    """No bucket has a side that the window does not cover."""
    window = _window(variant)
    return all(size[0] <= window[0] and size[1] <= window[1] for size in buckets)


def _window(variant: Variant) -> Size:
    """The least and the largest picture that the window covers: pixels of the kernel's cells."""
    assert variant.pooling_kernel is not None
    rest = 1 if variant.align_corners else 0
    rows, columns = ((cells - rest) * variant.coarsest_stride + rest for cells in variant.pooling_kernel)
    return rows, columns
