"""Names that the service has: metrics, paths, settings."""

import re

from service.http import pages, routes
from service.metrics import Metrics
from service.saturation import METRIC

# Told only where it is known: where the bundle's capacity was measured, or the server has been busy.
AWAITED = {METRIC}
ENDINGS = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
NAME = re.compile(r"\b(?:panoptic|process)_[a-z0-9_]+\b(?=[\[{),\s]|$)")
RECORD = re.compile(r"\bpanoptic:[a-z0-9_:]+")


def metrics() -> set[str]:
    """Of every series that the service tells."""
    families = list(Metrics().registry.collect())
    told = {f"{family.name}{ending}" for family in families for ending in ENDINGS.get(family.type, ("",))}
    return told | AWAITED


def paths() -> set[str]:
    return {getattr(route, "path", "") for route in (*routes.router.routes, *pages.router.routes)}


def metrics_in(expression: str) -> set[str]:
    """Series of ours that an expression reads."""
    grouped = re.sub(r"\b(?:by|on|without)\s*\([^)]*\)", "", expression)
    return set(NAME.findall(grouped))


def records_in(expression: str) -> set[str]:
    return set(RECORD.findall(expression))
