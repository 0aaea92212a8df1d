"""ImageNet weights of a backbone, under the names their authors gave them.

Detectron2's R-52.pkl and R-103.pkl have its names without "backbone."; torchvision's files and those of HRNet and
Xception have the names that the original repository took over. Layers that classify are left out by name.
"""

from collections.abc import Iterator
from pathlib import Path

from torch import Tensor, nn

from model.checkpoints.containers import read_state
from model.checkpoints.renaming import backbone_rules, rename
from model.checkpoints.state import COUNTER, lay_state
from model.variants import Backbone, MobileNet

PREFIX = "backbone."
CLASSIFIERS = (
    *("fc.", "head.", "classifier.", "last_linear.", "linear.", "stem.fc."),
    *("incre_modules.", "downsamp_modules.", "final_layer."),  # HRNet's
)


def load_backbone(path: Path, backbone: nn.Module, spec: Backbone) -> list[str]:
    """Fill a backbone from a file of ImageNet weights of any kind. Nothing in the file is run.

    Args:
        spec: what `backbone` was built of; the rules for names follow from it.

    Returns: the names that were left out since they classify, for whoever tells what was read.
    Raises:  CheckpointError: the file is unusable, or does not fit the backbone.
    """
    state = read_state(path).tensors
    dropped = [name for name in state if name.removeprefix(PREFIX).startswith((*CLASSIFIERS, *_tops(spec)))]
    kept = {name: tensor for name, tensor in state.items() if name not in dropped}
    wanted = backbone.state_dict()
    counts = {name: tensor for name, tensor in wanted.items() if name.endswith(COUNTER)}
    lay_state(backbone, counts | _our_names(kept, spec), str(path))
    return dropped


def _our_names(state: dict[str, Tensor], spec: Backbone) -> dict[str, Tensor]:
    rules = backbone_rules(spec)
    return {
        rename(f"{PREFIX}{name.removeprefix(PREFIX)}", rules).removeprefix(PREFIX): tensor
        for name, tensor in state.items()
    }


def _tops(spec: Backbone) -> Iterator[str]:
    """MobileNetV2's and MNASNet's last convolutions, which only the classifier reads."""
    if isinstance(spec, MobileNet):
        yield f"features.{1 + sum(spec.blocks)}."
        yield from (f"layers.{7 + len(spec.blocks) + index}." for index in range(2))
