"""How large a picture is drawn before its crop: the ways that recipes choose a size.

Every draw takes one number from torch's global random generator.
"""

from dataclasses import dataclass, replace

import torch

from model.variants.specs import Size


@dataclass(frozen=True)
class WithinRectangle:
    """A factor, log-uniform, on the size at which the picture fits a rectangle, or the rectangle turned by 90 degrees.

    So factor 1 is what serving does.
    """

    rectangle: Size
    low: float
    high: float


@dataclass(frozen=True)
class ShortestEdge:
    """One of some lengths for the shorter edge, less where the longer one would pass its bound; as in Detectron2."""

    edges: tuple[int, ...]  # pixels
    longest: int  # pixels


@dataclass(frozen=True)
class Factor:
    """One factor of an even range, both ends included; as in the original repository."""

    low: float
    high: float
    step: float


Scale = WithinRectangle | ShortestEdge | Factor


def draw_size(size: Size, scale: Scale) -> Size:
    """Draw the size to which a picture of `size` is brought."""
    rows, columns = size
    factor = draw_factor(size, scale)
    return max(1, round(rows * factor)), max(1, round(columns * factor))


def draw_factor(size: Size, scale: Scale) -> float:
    """Draw by what a picture of `size` is multiplied."""
    if isinstance(scale, WithinRectangle):
        low, high = torch.tensor(scale.low).log(), torch.tensor(scale.high).log()
        return float((low + (high - low) * torch.rand(())).exp()) * fit_scale(size, scale.rectangle)
    if isinstance(scale, ShortestEdge):
        edge = scale.edges[int(torch.randint(len(scale.edges), ()))]
        return min(edge / min(size), scale.longest / max(size))
    count = round((scale.high - scale.low) / scale.step) + 1
    return scale.low + scale.step * int(torch.randint(count, ()))


def shrink_scale(scale: Scale, ratio: float) -> Scale:
    """The same way to choose, for crops smaller by `ratio`, so that these see as much of a scene."""
    if isinstance(scale, WithinRectangle):
        rows, columns = scale.rectangle
        return replace(scale, rectangle=(round(rows * ratio), round(columns * ratio)))
    if isinstance(scale, ShortestEdge):
        edges = tuple(max(1, round(edge * ratio)) for edge in scale.edges)
        return ShortestEdge(edges, max(1, round(scale.longest * ratio)))
    return Factor(scale.low * ratio, scale.high * ratio, scale.step * ratio)


def fit_scale(size: Size, rectangle: Size) -> float:
    """The factor by which a picture fits the rectangle, or the rectangle turned, whichever leaves it larger."""
    rows, columns = size
    upright = min(rectangle[0] / rows, rectangle[1] / columns)
    turned = min(rectangle[1] / rows, rectangle[0] / columns)
    return max(upright, turned)
