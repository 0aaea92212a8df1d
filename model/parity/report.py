"""The family in one Markdown table: what each variant is, and how near it comes to its goldens."""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch.utils.flop_counter import FlopCounterMode

from model.network.panoptic_deeplab import Heads, PanopticDeepLab
from model.parity.findings import Finding
from model.variants import Variant

SOURCES = {"detectron2": "Detectron2", "original": "original", "own": "ours"}
NONE = "–"
TITLES = (
    "variant",
    "source",
    "published PQ",
    "parameters, M",
    "GMACs at its size",
    "goldens",
    "largest difference",
    "classes equal",
    "panoptic equal",
)


def family_table(findings: Sequence[Finding], variants: Iterable[Variant]) -> Iterator[str]:
    """The lines of the table, one a variant.

    The largest difference is that of any head, in standard deviations of the head; shares are the least of all goldens.
    """
    yield markdown_line(TITLES)
    yield markdown_line(["---"] * len(TITLES))
    for variant in variants:
        own = [finding for finding in findings if finding.variant == variant.name]
        yield markdown_line([*facts(variant), _cost(variant), *_agreement(own)])


def facts(variant: Variant) -> list[str]:
    """Name, source, published PQ and millions of parameters."""
    with torch.device("meta"):
        network = PanopticDeepLab(variant)
    count = sum(parameter.numel() for parameter in network.parameters())
    published = NONE if variant.published is None else f"{variant.published.pq}"
    return [f"`{variant.name}`", SOURCES[variant.flavour], published, f"{count / 1e6:.2f}"]


def multiply_adds(variant: Variant, rows: int, columns: int) -> float:
    """Of the convolutions for one picture, heads before the last upsampling."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        PanopticDeepLab(variant).eval()(torch.empty(1, 3, rows, columns))
    return counter.get_total_flops() / 2


def _cost(variant: Variant) -> str:
    rows, columns = variant.input.size
    return f"{multiply_adds(variant, rows, columns) / 1e9:.1f}, {rows}×{columns}"


def _agreement(findings: Sequence[Finding]) -> list[str]:
    goldens = {finding.golden for finding in findings}
    if not goldens:
        return [NONE] * 4
    differences = [finding.value for finding in findings if finding.what in Heads._fields]
    classes, panoptic = (
        min(finding.value for finding in findings if finding.what == what)
        for what in ("semantic_argmax", "panoptic")
    )
    return [str(len(goldens)), f"{max(differences):.1e}", f"{classes:.3%}", f"{panoptic:.3%}"]


def markdown_line(cells: Iterable[str]) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cells)} |"
