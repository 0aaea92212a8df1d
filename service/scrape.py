"""Scraping: the metrics on a port of their own, where callers cannot read them."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import start_http_server

from service.metrics import Metrics
from service.settings import Settings, SettingsError


@contextmanager
def serving_metrics(settings: Settings, metrics: Metrics) -> Iterator[None]:
    """Serve them while the block runs, where the settings name a port.

    Raises: SettingsError: nothing can listen there.
    """
    if not settings.metrics_port:
        yield
        return
    try:
        server, thread = start_http_server(settings.metrics_port, settings.host, metrics.registry)
    except OSError as error:
        raise SettingsError(
            f"Metrics cannot listen on {settings.host} port {settings.metrics_port}: {error.strerror}. "
            "Choose another with --metrics-port."
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
