"""Bundles for `make gpu`: `python -m benchmarks.gpu_bundles DIR` exports stand-in weights of some variants."""

import sys
from pathlib import Path

from export.family import export_stand_in
from model.variants import find_variant

VARIANTS = ("r52-dc5", "r52-dc5-dsconv", "hrnet48", "xception65-dc5", "mobilenet-v2-os32")
BATCH_SIZES = "1,2,4,8"


def main(out: Path) -> None:
    """Export each at its published size and at half of it, unless it is there."""
    for name in VARIANTS:
        if not (out / name).exists():
            export_stand_in(find_variant(name), out / name, 1, BATCH_SIZES)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
