"""Which variant a state dict is: the flavour from its names, the variant from names and shapes.

A file does not tell strides, dilations, ASPP's rates, the pooling kernel, the normalisation and the merging. They
follow from the row of `VARIANTS` that fits; where several fit, the published one is meant if there is only one.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Literal

import torch
from torch import Tensor

from model.categories import load_categories
from model.checkpoints import CheckpointError, detectron2, original
from model.checkpoints.state import COUNTER, find_misfits
from model.network.panoptic_deeplab import PanopticDeepLab
from model.variants import VARIANTS, Variant

Names = Literal["detectron2", "original", "own"]
Tensors = Mapping[str, Tensor]

PREFIXES: dict[Names, tuple[str, str]] = {  # whose names: (of the semantic decoder, of its predictor)
    "detectron2": ("sem_seg_head.", "sem_seg_head.predictor.weight"),
    "original": ("decoder.semantic_decoder.", "decoder.semantic_head.classifier.semantic.1.weight"),
    "own": ("semantic_decoder.", "semantic_head.predictor.weight"),
}


def recognise_names(state: Tensors) -> Names:
    """Whose names a state dict uses.

    Raises: CheckpointError: nobody's that we know.
    """
    for names, (prefix, _) in PREFIXES.items():
        if any(name.startswith(prefix) for name in state):
            return names
    raise CheckpointError(
        f"its names, such as {next(iter(state), 'none')!r}, are of no Panoptic-DeepLab: neither Detectron2's"
        " (sem_seg_head.…) nor the original repository's (decoder.…) nor ours (semantic_decoder.…)"
    )


def recognise(state: Tensors, variants: Iterable[Variant] = tuple(VARIANTS.values())) -> tuple[Variant, ...]:
    """The variants that a state dict fits by names and shapes; none where no variant does.

    Raises: CheckpointError: nobody's names, or a number of classes that no label set has.
    """
    names = recognise_names(state)
    rows = [variant for variant in variants if names in ("own", variant.flavour)]
    _check_classes(state, names, rows)
    shapes = _shape_counts(state)
    alike = [
        variant for variant in rows if _shape_counts(_parameters(variant)) == shapes
    ]  # renaming takes longer
    return tuple(variant for variant in alike if not misfits(convert(state, variant), variant))


def choose_variant(state: Tensors, variants: Iterable[Variant] = tuple(VARIANTS.values())) -> Variant:
    """The one variant that is meant.

    Raises: CheckpointError: none fits, and the nearest is told with what does not; or several do, and none or more
        than one of them is published.
    """
    rows = tuple(variants)
    fitting = recognise(state, rows)
    published = [variant for variant in fitting if variant.published is not None]
    if len(fitting) == 1 or len(published) == 1:
        return published[0] if len(published) == 1 else fitting[0]
    if fitting:
        names = ", ".join(variant.name for variant in fitting)
        raise CheckpointError(f"it may be {names}, and no file tells which. Say it with --variant NAME")
    raise CheckpointError(_nearest(state, rows))


def convert(state: Tensors, variant: Variant) -> dict[str, Tensor]:
    """Our names for a state dict of a variant, whosever it has."""
    names = recognise_names(state)
    rename: Callable[[Tensors, Variant], dict[str, Tensor]] | None = {
        "detectron2": detectron2.our_names,
        "original": original.our_names,
    }.get(names)
    return dict(state) if rename is None else rename(state, variant)


def misfits(renamed: Tensors, variant: Variant) -> list[str]:
    """What does not fit a variant, a sentence a kind. Counts of batches are not missed: they only serve training.

    Args:
        renamed: with our names.
    """
    wanted = {
        name: tensor
        for name, tensor in _parameters(variant).items()
        if name in renamed or not name.endswith(COUNTER)
    }
    return find_misfits(wanted, renamed)


@cache
def _parameters(variant: Variant) -> dict[str, Tensor]:
    """Names and shapes of the network, which need no memory."""
    with torch.device("meta"):
        return PanopticDeepLab(variant).state_dict()


def _check_classes(state: Tensors, names: Names, variants: list[Variant]) -> None:
    predictor = state.get(PREFIXES[names][1])
    known = {len(load_categories(variant.label_set)): variant.label_set for variant in variants}
    if predictor is not None and len(predictor) not in known:
        sets = ", ".join(f"{classes} ({name})" for classes, name in sorted(known.items()))
        raise CheckpointError(
            f"it has {len(predictor)} classes, and there are label sets of {sets}. Other classes need a label set"
            " and a variant of their own, see docs/model.md"
        )


def _nearest(state: Tensors, variants: tuple[Variant, ...]) -> str:
    names = recognise_names(state)
    rows = [variant for variant in variants if names in ("own", variant.flavour)]
    shapes = _shape_counts(state)
    nearest = min(rows, key=lambda variant: _distance(_shape_counts(_parameters(variant)), shapes))
    return f"it fits no variant. Nearest is {nearest.name}: {'; '.join(misfits(convert(state, nearest), nearest))}"


def _shape_counts(state: Tensors) -> Counter[torch.Size]:
    """How many parameters have a shape, without those that files may have or lack."""
    return Counter(
        tensor.shape
        for name, tensor in state.items()
        if not name.endswith(COUNTER) and name not in detectron2.DROPPED
    )


def _distance(one: Counter[torch.Size], other: Counter[torch.Size]) -> int:
    return (one - other).total() + (other - one).total()
