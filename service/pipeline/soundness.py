"""Soundness of what an engine returned: heads that are no numbers are a fault, and never an answer."""

import numpy as np

from service.backends import Heads


class HeadsNotFinite(Exception):
    """A picture's heads hold NaN or infinity."""


def check_finite(heads: Heads) -> None:
    """Refuse heads that are no numbers: a merging of them would look like an answer.

    Raises: HeadsNotFinite: naming the head, and how many of its values.
    """
    for name, head in (("semantic", heads.semantic), ("center", heads.center), ("offset", heads.offset)):
        finite = np.isfinite(head)
        if not finite.all():
            raise HeadsNotFinite(
                f"the engine returned {int((~finite).sum())} of {head.size} values of the head {name} "
                "as NaN or infinity"
            )
