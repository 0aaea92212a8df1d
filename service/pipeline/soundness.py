"""Soundness of what an engine returned: heads that are no numbers are a fault, and never an answer."""

import numpy as np

from service.backends import Heads, Maps


class HeadsNotFinite(Exception):
    """A picture's heads hold NaN or infinity, or its maps name what there is not."""


def not_finite(heads: Heads) -> HeadsNotFinite:
    """What is wrong with heads of which some values are no numbers: a merging of them would look like an answer."""
    told = []
    for name, head in (("semantic", heads.semantic), ("center", heads.center), ("offset", heads.offset)):
        if count := head.size - int(np.isfinite(head).sum()):
            told.append(f"{count} of {head.size} values of the head {name}")
    return HeadsNotFinite(f"the engine returned {', '.join(told)} as NaN or infinity")


def check_maps(maps: Maps) -> None:
    """Refuse one picture's maps of such heads. What they name is an index into tables, so it has to be in them.

    Raises: HeadsNotFinite.
    """
    if maps.sound.any() or not all(np.isfinite(each).all() for each in (maps.heat, maps.sampled, maps.whole)):
        raise HeadsNotFinite("the engine merged heads that hold NaN or infinity")
    classes, count = maps.sampled.shape[2], int((maps.places >= 0).sum())
    least, most = int(maps.instances.min()), int(maps.instances.max())
    if int(maps.classes.max()) >= classes or (count and (least < 1 or most > count)):
        raise HeadsNotFinite(
            f"the engine's maps name class {int(maps.classes.max())} of {classes} and centers {least} to {most} of "
            f"{count}"
        )
