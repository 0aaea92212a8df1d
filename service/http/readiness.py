"""Readiness: whether there is a model that answers, and why not."""

from dataclasses import dataclass, field

from service.backends import Gpu
from service.capacity import read_capacity
from service.http.leases import Leases
from service.http.problems import Problem
from service.metrics import Metrics, WhereKnown
from service.pipeline.predictor import Predictor
from service.pipeline.queue import Priority
from service.saturation import HELP, METRIC, Saturation

_RETRY_S = 5
_REASONS = {
    "starting": "The model is loaded and proves itself; try again soon.",
    "ready": "The server cut this request short; send it again.",
    "leaving": "The server is about to stop; ask another one.",
    "failed": "The model failed to load; the server's log says why.",
    "stopping": "The server is stopping; ask another one.",
}


@dataclass
class Readiness:
    """The one place that knows whether the model answers; written by the app, read by the routes.

    starting → ready → leaving (a lame duck: not ready, and still serving) → stopping; or failed, where no model could
    be loaded. `lost` stands beside them: the engine hangs or fails for good, and the process is to be ended.
    """

    metrics: Metrics
    predictor: Predictor | None = None
    error: Exception | None = None  # why there is none
    state: str = "starting"
    lost: str = ""  # why the engine is
    leases: Leases = field(default_factory=Leases)
    saturation: Saturation = field(default_factory=Saturation)

    def __post_init__(self) -> None:
        self.metrics.registry.register(WhereKnown(METRIC, HELP, lambda: self.saturation.ratio))

    @property
    def closing(self) -> bool:
        """Whether connections are to be closed."""
        return self.state in ("leaving", "stopping") or bool(self.lost)

    def ready(self, predictor: Predictor) -> None:
        """This model has proved itself; from now on it answers, and what another began that one finishes."""
        self.predictor = predictor
        self.error = None
        self._tell(predictor)
        capacity = read_capacity(predictor.bundle)
        self.saturation.believe(None if capacity is None else capacity.pixels_per_s)
        if self.state in ("starting", "failed"):
            self._enter("ready")

    def failed(self, error: Exception) -> None:
        """There will be no model."""
        self.error = error
        self._enter("failed")

    def leave(self) -> None:
        """Be ready no more, and go on serving; where nothing is served, stop."""
        if not self.lost:
            self._enter("leaving" if self.state == "ready" else "stopping")

    def stop(self) -> None:
        """What is accepted is finished, nothing more is taken."""
        self._enter("stopping")

    def lose(self, reason: str) -> None:
        """The engine will not answer any more."""
        if any(predictor.backend.gpu and predictor.backend.gpu.lost for predictor in self.working()):
            self.metrics.gpu.lost.inc()
        self.lost = reason
        self._enter("lost")

    def require(self) -> Predictor:
        """The predictor, for those who ask whether to send photographs here.

        Raises: Problem: not-ready or engine-lost.
        """
        if self.state != "ready":
            raise self.problem()
        return self.serving()

    def serving(self) -> Predictor:
        """The predictor that answers now, a lame duck's too.

        Raises: Problem: not-ready or engine-lost.
        """
        if self.predictor is None or self.lost or self.state not in ("ready", "leaving"):
            raise self.problem()
        return self.predictor

    def working(self) -> set[Predictor]:
        """All predictors that may be running: the one that answers, and those replaced that finish their last."""
        return self.leases.predictors() | ({self.predictor} if self.predictor is not None else set())

    def check_alive(self) -> None:
        """Raises Problem, engine-lost, where only a new process can answer again."""
        if self.lost:
            raise self.problem()

    def problem(self) -> Problem:
        """Why no photograph is answered."""
        if self.lost:
            return Problem("engine-lost", f"{self.lost} Send it again.", retry_after_s=_RETRY_S)
        return Problem("not-ready", _REASONS[self.state], retry_after_s=_RETRY_S)

    def _tell(self, predictor: Predictor) -> None:
        backend, manifest = predictor.backend, predictor.manifest
        self.metrics.watch(
            queue=lambda priority: predictor.batcher.depth_of(Priority[priority.upper()]),
            queued_pixels=lambda: predictor.batcher.weight,
        )
        self.metrics.model.backend.clear()
        self.metrics.model.backend.labels(
            backend.name,
            backend.precision,
            backend.device,
            f"{manifest.name}-{manifest.version}",
            predictor.choice.reason,
        ).set(1)
        gpu = backend.gpu or Gpu()
        self.metrics.gpu.tell(backend.name, gpu.memory, gpu.build_seconds)
        self.metrics.model.trials.clear()
        for trial in predictor.choice.trials:
            if trial.milliseconds is not None:
                self.metrics.model.trials.labels(trial.runtime, trial.precision).set(
                    trial.milliseconds / 1000
                )

    def _enter(self, state: str) -> None:
        self.state = state
        self.metrics.model.set_state("lost" if self.lost else state)
