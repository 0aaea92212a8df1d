"""The command panoptic-serve: one process, one model, one port."""

import logging
import signal
import socket
import sys
from collections.abc import Sequence

import uvicorn

from model.bundle import BundleError
from service.app import create_app
from service.http.connection import connection_class
from service.http.readiness import Readiness
from service.settings import Parser, Settings, SettingsError, add_settings, read_settings

MISTAKE = 2  # exit code of a wrong option or an unusable file


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C; the exit code is 0, or 2 after a mistake told in one sentence."""
    try:
        parser = Parser(
            "panoptic-serve",
            description="Serve panoptic segmentation over HTTP. Every option is also an environment variable.",
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
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    failures: list[Exception] = []

    def on_state(readiness: Readiness) -> None:
        if readiness.error is not None:
            failures.append(readiness.error)
            server.should_exit = True
        elif readiness.predictor is not None:
            backend, manifest = readiness.predictor.backend, readiness.predictor.manifest
            print(
                f"{manifest.name} {manifest.version} is ready on {_address(listener)} "
                f"({backend.name}, {backend.device}, {backend.precision}). Stop it with Ctrl-C.",
                flush=True,
            )

    app = create_app(settings, on_state=on_state)
    listener = _listen(settings)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=connection_class(
                head_timeout_s=settings.head_timeout_s, body_timeout_s=settings.body_timeout_s
            ),
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=settings.drain_s,
        )
    )
    # Uvicorn finishes what it has and then raises the signal again, for whoever had it before: nobody.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    with listener:
        server.run(sockets=[listener])
    if failures:
        raise failures[0]


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=2048)
        # Inherited by every connection; without it the end of an answer waits 40 ms for the caller's delayed ACK.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        raise SettingsError(
            f"Nothing can listen on {settings.host} port {settings.port}: {error.strerror}. "
            "Choose another with --host and --port."
        ) from error


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


if __name__ == "__main__":
    sys.exit(main())
