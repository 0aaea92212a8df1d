"""Readiness: whether there is a model that answers, and why not."""

from dataclasses import dataclass

from service.http.problems import Problem
from service.metrics import Metrics
from service.pipeline.predictor import Predictor

_RETRY_S = 5


@dataclass
class Readiness:
    """The one place that knows whether the model answers; written by the app, read by the routes."""

    metrics: Metrics
    predictor: Predictor | None = None
    error: Exception | None = None  # why there is none
    state: str = "starting"

    def ready(self, predictor: Predictor) -> None:
        """The model has proved itself."""
        self.predictor = predictor
        backend, manifest = predictor.backend, predictor.manifest
        self.metrics.watch(
            queue=lambda: predictor.batcher.depth, queued_pixels=lambda: predictor.batcher.weight
        )
        self.metrics.backend.labels(
            backend.name,
            backend.precision,
            backend.device,
            f"{manifest.name}-{manifest.version}",
            predictor.choice.reason,
        ).set(1)
        for trial in predictor.choice.trials:
            if trial.milliseconds is not None:
                self.metrics.trials.labels(trial.runtime, trial.precision).set(trial.milliseconds / 1000)
        self._enter("ready")

    def failed(self, error: Exception) -> None:
        """There will be no model."""
        self.error = error
        self._enter("failed")

    def stopping(self) -> None:
        """What is accepted is finished, nothing more is taken."""
        self._enter("stopping")

    def require(self) -> Predictor:
        """The predictor.

        Raises: Problem: not-ready.
        """
        if self.state == "ready" and self.predictor is not None:
            return self.predictor
        reasons = {
            "starting": "The model is loaded and proves itself; try again soon.",
            "failed": "The model failed to load; the server's log says why.",
            "stopping": "The server is stopping; ask another one.",
        }
        raise Problem("not-ready", reasons[self.state], retry_after_s=_RETRY_S)

    def _enter(self, state: str) -> None:
        self.state = state
        self.metrics.set_state(state)
