"""The walk over a folder of goldens and a folder of key manifests."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from model.network.panoptic_deeplab import PanopticDeepLab
from model.parity.findings import Finding, Skipped
from model.parity.merging import compare_post, compare_tail
from model.parity.names import our_name, our_variant
from model.parity.networks import compare_case, read_case, read_shapes

NOT_YET = "its variant is not ours yet"
SUMMARY = "_summary.json"  # beside the manifests: how many parameters each has, where it was counted


def walk_goldens(goldens: Path, keys: Path) -> Iterator[Finding | Skipped]:
    """Compare every .npz of a folder, in order of name."""
    for path in sorted(goldens.glob("*.npz")):
        yield from compare_golden(path, keys)


def compare_golden(path: Path, keys: Path) -> Iterator[Finding | Skipped]:
    """Compare one .npz by what it holds; a network is freed before the next."""
    with np.load(path, allow_pickle=False) as arrays:
        if "meta" in arrays:
            case = read_case(path, arrays)
            manifest = keys / f"{path.stem}.json" if case is None else _manifest(keys, case.meta)
            if case is None:
                yield Skipped(path.stem, NOT_YET)
            elif not manifest.is_file():
                yield Skipped(path.stem, f"its key manifest {manifest} is not there")
            else:
                yield from compare_case(case, read_shapes(manifest))
        elif "index" in arrays and any(name.endswith("/logits") for name in arrays.files):
            yield from compare_tail(path.stem, arrays)
        elif "index" in arrays:
            yield from compare_post(path.stem, arrays)
        else:
            yield Skipped(path.stem, "it is no golden: it has neither `meta` nor `index`")


def walk_keys(keys: Path) -> Iterator[Finding | Skipped]:
    """Compare every key manifest of a folder with our network's names and shapes, through the converter."""
    summary = keys / SUMMARY
    counts = json.loads(summary.read_text(encoding="utf-8")) if summary.is_file() else {}
    for path in sorted(keys.glob("*-*.json")):
        flavour, _, name = path.stem.partition("-")
        variant = our_variant(flavour, name)
        if variant is None:
            yield Skipped(path.name, NOT_YET)
            continue
        with torch.device("meta"):  # names and shapes need no memory
            network = PanopticDeepLab(variant)
        yield compare_names(path, network)
        if path.stem in counts:
            yield compare_count(path, network, counts[path.stem]["params"])


def compare_names(path: Path, network: PanopticDeepLab) -> Finding:
    """The published names, renamed, against ours."""
    theirs = {our_name(name, network.variant): shape for name, shape in read_shapes(path).items()}
    ours = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    differing = sorted(name for name in theirs.keys() | ours.keys() if theirs.get(name) != ours.get(name))
    found = f"{len(ours) - len(differing)} of {len(ours)} equal"
    if differing:
        found += f"; not {', '.join(differing[:3])}"
    return Finding(path.name, "names and shapes", found, "all", not differing)


def compare_count(path: Path, network: PanopticDeepLab, theirs: int) -> Finding:
    """The number of parameters that training would change."""
    ours = sum(parameter.numel() for parameter in network.parameters())
    return Finding(path.name, "parameters", f"{ours:,}", f"{theirs:,}", ours == theirs)


def _manifest(keys: Path, meta: dict[str, str]) -> Path:
    return keys / f"{meta['flavour']}-{meta['variant']}.json"
