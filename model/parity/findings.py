"""Findings: what was measured against a golden, and how much was allowed."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One comparison."""

    golden: str
    what: str
    found: str
    allowed: str
    holds: bool
    variant: str = ""  # ours, where it is about a network
    value: float = math.nan  # what was found, where it is one number


@dataclass(frozen=True)
class Skipped:
    """A golden that nothing here can be compared with."""

    golden: str
    why: str


def share(golden: str, what: str, value: float, least: float, variant: str) -> Finding:
    """A share of equal pixels, 0 to 1."""
    found, allowed = f"{value:.4%} equal", f"at least {least:.2%}"
    return Finding(golden, what, found, allowed, value >= least, variant, value)


def count(golden: str, what: str, misfits: list[str], total: int) -> Finding:
    """So many cases equal of so many; the first misfits are named."""
    found = f"{total - len(misfits)} of {total} equal"
    if misfits:
        found += f"; not {', '.join(misfits[:3])}"
    return Finding(golden, what, found, "all", not misfits and total > 0)
