"""Loading: which model serves. The first one, those that take its place while the server runs, and their ends."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model.bundle import Bundle, read_bundle
from service.http.readiness import Readiness
from service.pipeline.predictor import Predictor

Open = Callable[[Bundle], Predictor]
"""Opens a bundle and proves it, in a thread.

Raises: BundleError: it cannot be trusted, or nothing here can run it.
"""

log = logging.getLogger("panoptic")


@dataclass
class Loading:
    """Owns the predictors: one serves, one at most is loaded beside it, and those replaced are closed."""

    readiness: Readiness
    path: Path  # of the setting; a link there may lead elsewhere the next time
    open: Open
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def first(self, bundle: Bundle, predictor: Predictor | None) -> None:
        """Load the bundle, where no predictor is given; the readiness tells how it went."""
        async with self._one:
            try:
                if predictor is None:
                    predictor = await asyncio.to_thread(self.open, bundle)
                self.readiness.ready(predictor)
            except Exception as error:
                log.error("the model failed to load: %s", error)
                self.readiness.failed(error)

    def reload_soon(self) -> None:
        """Begin a reload, for those who cannot wait for it."""
        self._begin(self.reload())

    async def reload(self) -> None:
        """Read the bundle anew, prove it beside the one that serves, and put it in its place; or keep the old one."""
        async with self._one:
            old = self.readiness.predictor
            try:
                bundle = await asyncio.to_thread(read_again, self.path)
                if old is not None and bundle.digest == old.bundle.digest:
                    self._tell("same", f"{_name(bundle)} is served already, byte for byte")
                    return
                new = await asyncio.to_thread(self.open, bundle)
            except Exception as error:
                kept = _name(old.bundle) if old is not None else "no model"
                self._tell("kept", f"{kept} goes on serving; the bundle cannot take its place: {error}")
                return
            self.readiness.ready(new)
            self._tell("swapped", f"{_name(bundle)} serves from now on")
        if old is not None:
            self._begin(self._retire(old))

    async def close(self) -> None:
        """Wait for what is under way, and close the model that serves; an engine that is lost cannot be waited for."""
        if self.readiness.lost:
            return
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self.readiness.predictor is not None:
            await asyncio.to_thread(self.readiness.predictor.close)

    async def _retire(self, old: Predictor) -> None:
        await self.readiness.leases.ended(old)
        await asyncio.to_thread(old.close)
        log.info("%s has answered its last photograph and is closed", _name(old.bundle))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # a loop alone would let it be forgotten
        task.add_done_callback(self._tasks.discard)

    def _tell(self, result: str, sentence: str) -> None:
        log.log(logging.ERROR if result == "kept" else logging.INFO, "reload: %s", sentence)
        self.readiness.metrics.model.reloads.labels(result).inc()


def read_again(path: Path) -> Bundle:
    """Read a bundle from where a link leads now: the link may be turned while the graph is being opened.

    Raises: BundleError: as `read_bundle`.
    """
    return read_bundle(path.resolve() if path.exists() else path)


def _name(bundle: Bundle) -> str:
    return f"{bundle.manifest.name} {bundle.manifest.version} ({bundle.digest[:12]})"
