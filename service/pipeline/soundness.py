"""Soundness of what an engine returned: heads that are no numbers are a fault, and never an answer."""

import numpy as np

from service.backends import Heads, Maps
from service.pipeline.kernels.compiler import plain
from service.pipeline.kernels.finite import count_unsound


class HeadsNotFinite(Exception):
    """A picture's heads hold NaN or infinity, or its maps name what there is not."""


def check_finite(output: Heads | Maps) -> None:
    """Refuse heads that are no numbers: a merging of them would look like an answer. And maps of such heads.

    Raises: HeadsNotFinite: naming the head, and how many of its values.
    """
    if isinstance(output, Maps):
        _check_maps(output)
        return
    heads = {"semantic": output.semantic, "center": output.center, "offset": output.offset}
    for (name, head), count in zip(
        heads.items(), count_unsound(*(plain(head).reshape(-1) for head in heads.values())), strict=True
    ):
        if count:
            raise HeadsNotFinite(
                f"the engine returned {count} of {head.size} values of the head {name} as NaN or infinity"
            )


def _check_maps(maps: Maps) -> None:
    """Of one picture. What they name is an index into tables, so it has to be in them."""
    if maps.sound.any() or not all(np.isfinite(each).all() for each in (maps.heat, maps.sampled, maps.whole)):
        raise HeadsNotFinite("the engine merged heads that hold NaN or infinity")
    classes, count = maps.sampled.shape[2], int((maps.places >= 0).sum())
    least, most = int(maps.instances.min()), int(maps.instances.max())
    if int(maps.classes.max()) >= classes or (count and (least < 1 or most > count)):
        raise HeadsNotFinite(
            f"the engine's maps name class {int(maps.classes.max())} of {classes} and centers {least} to {most} of "
            f"{count}"
        )
