"""The command panoptic-serve: one process, one model, one port."""

import gc
import logging
import signal
import sys
from collections.abc import Sequence

import uvicorn

import service.blas  # noqa: F401 - before NumPy
from model.bundle import BundleError
from service.app import create_app
from service.http.connection import connection_class
from service.http.readiness import Readiness
from service.listener import address, open_listener
from service.log import set_up_log
from service.scrape import serving_metrics
from service.server import Server
from service.settings import Parser, Settings, SettingsError, add_settings, read_settings

MISTAKE = 2  # exit code of a wrong option or an unusable file


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C; the exit code is 0, or 2 after a mistake told in one sentence.

    Where the engine is lost, the process ends with `service.server.ENGINE_LOST`.
    """
    try:
        parser = Parser(
            "panoptic-serve",
            description="Serve panoptic segmentation over HTTP. Every option is also an environment variable. "
            "SIGTERM stops the server once all it accepted is answered; SIGHUP loads the bundle anew.",
            allow_abbrev=False,
        )
        add_settings(parser)
        serve(read_settings(vars(parser.parse_args(arguments))))
    except (SettingsError, BundleError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return MISTAKE
    return 0


def serve(settings: Settings) -> None:
    """Listen, load the model, say so, and answer until a signal comes.

    Raises:
        SettingsError: the address cannot be listened on.
        BundleError: the model cannot be trusted, or failed its self-test.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # there is nothing to load anew yet
    set_up_log(settings)
    failures: list[Exception] = []

    def on_state(readiness: Readiness) -> None:
        if readiness.lost:
            server.lose_engine()
        elif readiness.error is not None:
            failures.append(readiness.error)
            server.should_exit = True
        elif readiness.state == "ready":
            # What the start made stays: no full collection need walk it. A bundle that is replaced goes nevertheless,
            # with the last that refers to it.
            gc.collect()
            gc.freeze()
            _say(_ready(readiness, address(listener)))

    app = create_app(settings, on_state=on_state)
    http = connection_class(head_timeout_s=settings.head_timeout_s, body_timeout_s=settings.body_timeout_s)
    config = uvicorn.Config(app, http=http, ws="none", log_config=None, access_log=False, server_header=False)
    with open_listener(settings) as listener, serving_metrics(settings, app.state.parts.metrics):
        server = Server(config, settings, app.state.parts.readiness, listener, app.state.loading.reload_soon)
        server.run(sockets=[listener])
    if failures:
        raise failures[0]


def _ready(readiness: Readiness, where: str) -> str:
    predictor = readiness.require()
    backend, manifest = predictor.backend, predictor.manifest
    return (
        f"{manifest.name} {manifest.version} is ready on {where} "
        f"({backend.name}, {backend.device}, {backend.precision}). Stop it with Ctrl-C."
    )


def _say(line: str) -> None:
    """Print a line; where nobody can read it, as on a full disk, serving matters more."""
    try:
        print(line, flush=True)
    except OSError as error:
        logging.getLogger("panoptic").warning("%s (stdout: %s)", line, error.strerror)


if __name__ == "__main__":
    sys.exit(main())
