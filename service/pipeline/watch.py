"""The watch over an engine: how long its present run lasts, and how many runs failed one after another."""

import time

from service.backends import Backend, Heads, Pictures


class Watch:
    """A backend that runs another one and keeps its times; read from any thread."""

    def __init__(self, backend: Backend):
        self._backend = backend
        self.running_since: float | None = None  # of the monotonic clock, in seconds; None while it is idle
        self.failures = 0  # in a row, until now

    @property
    def name(self) -> str:
        """The runtime and its version, for people."""
        return self._backend.name

    @property
    def device(self) -> str:
        """Where it runs."""
        return self._backend.device

    @property
    def precision(self) -> str:
        """Number format of the weights' products."""
        return self._backend.precision

    def run(self, batch: Pictures) -> Heads:
        """Run a batch, as `Backend.run`."""
        self.running_since = time.monotonic()
        try:
            heads = self._backend.run(batch)
        except Exception:
            self.failures += 1
            raise
        finally:
            self.running_since = None
        self.failures = 0
        return heads

    def close(self) -> None:
        """Free the device."""
        self._backend.close()
