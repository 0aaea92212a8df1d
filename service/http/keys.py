"""Keys: who may ask, how much at once, and how urgently.

A file holds a line for each: its name, the SHA-256 of the key in hexadecimal digits, and what it may not:

    camera-7  247512e4b020563d8d0a5b1f70b86e549f2ceac258c2b758a56be856c6cc4562  priority=batch concurrency=4

Keys are random and long, so a plain digest of one cannot be turned back; a password's could.
"""

import hashlib
import hmac
import ipaddress
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.http.problems import Problem
from service.metrics import Metrics
from service.pipeline.queue import Priority
from service.settings import SettingsError

OPEN = ("/", "/docs", "/livez", "/metrics", "/openapi.json", "/ping", "/readyz", "/startupz", "/version")
OPEN_BELOW = ("/docs/", "/problems/", "/v2/health/")
"""Pages and probes; all else asks for a key, where there are keys."""

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")

log = logging.getLogger("panoptic")


@dataclass(frozen=True)
class Key:
    """One caller. Its digest stays out of logs by `repr`."""

    name: str
    sha256: str
    priority: Priority = Priority.INTERACTIVE  # the highest it may ask for
    concurrency: int | None = None  # photographs at once; None is as many as the server takes

    def __repr__(self) -> str:
        return f"Key({self.name})"


class RequireKey:
    """ASGI middleware: without a known key a request ends here, before its body is read."""

    def __init__(self, app: ASGIApp, keys: Sequence[Key], metrics: Metrics):
        self.app = app
        self.keys = keys
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] == "http" and self.keys and not is_open(scope["path"]):
            try:
                scope["state"]["key"] = find_key(self.keys, Headers(scope=scope))
            except Problem as problem:
                self.metrics.rejected.labels(problem.name).inc()
                await problem.to_response(scope["state"]["request_id"])(scope, receive, send)
                return
        await self.app(scope, receive, send)


def is_open(path: str) -> bool:
    """Whether a path asks for no key."""
    return path in OPEN or path.startswith(OPEN_BELOW)


def key_of(request: Request) -> Key | None:
    """The key that a request came with; None where the server has none."""
    key: Key | None = getattr(request.state, "key", None)
    return key


def find_key(keys: Sequence[Key], headers: Headers) -> Key:
    """The key in `Authorization: Bearer` or `X-API-Key`.

    Every key is compared, each in constant time: how long it takes tells nothing of how near a guess was.

    Raises: Problem: key-required.
    """
    scheme, _, given = headers.get("authorization", "").partition(" ")
    presented = given.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "").strip()
    if not presented:
        raise _key_required("This server answers only those who have a key.", 'Bearer realm="panoptic"')
    digest = hashlib.sha256(presented.encode()).hexdigest()
    found = [key for key in keys if hmac.compare_digest(key.sha256, digest)]
    if not found:
        raise _key_required("The key is not known here.", 'Bearer realm="panoptic", error="invalid_token"')
    return found[0]


def read_keys(path: Path) -> tuple[Key, ...]:
    """Read a file of keys; blank lines and those that begin with # count for nothing.

    Raises: SettingsError: naming the line that is wrong; never what stands in it, which may be a key.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise SettingsError(f"The keys in {path} cannot be read: {reason}. See docs/security.md.") from error
    keys = [
        _read(line, f"{path}, line {number}")
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not keys:
        raise SettingsError(f"{path} holds no key, so nobody could ask. Leave --keys out to let everybody.")
    if len({key.name for key in keys}) < len(keys) or len({key.sha256 for key in keys}) < len(keys):
        raise SettingsError(
            f"{path} holds a name or a key twice. Give each caller a name and a key of its own."
        )
    return tuple(keys)


def warn_of_open_doors(host: str, keys: Sequence[Key]) -> None:
    """Say loudly that anyone who reaches the server may use it."""
    if not keys and not _is_loopback(host):
        log.warning(
            "NO KEYS ARE SET, and %s can be reached from outside: whoever reaches this port may use it. "
            "Set --keys FILE, or keep the port behind a proxy that checks callers.",
            host,
        )


def _read(line: str, where: str) -> Key:
    name, digest, *rest = [*line.split(), "", ""]
    options = dict(each.partition("=")[::2] for each in rest if each)
    priority, concurrency = options.pop("priority", "interactive"), options.pop("concurrency", None)
    right = (
        _NAME.fullmatch(name)
        and _DIGEST.fullmatch(digest)
        and priority.upper() in Priority.__members__
        and (concurrency is None or (concurrency.isdecimal() and 0 < int(concurrency) < 1_000_000))
        and not options
    )
    if not right:
        raise SettingsError(
            f"{where} is no key. It must be a name, the 64 hexadecimal digits of a SHA-256, and perhaps "
            "priority=interactive or priority=batch, and concurrency=NUMBER."
        )
    return Key(name, digest, Priority[priority.upper()], int(concurrency) if concurrency else None)


def _key_required(found: str, challenge: str) -> Problem:
    return Problem(
        "key-required",
        f"{found} Send one as `Authorization: Bearer KEY` or `X-API-Key: KEY`; its operator gives them out.",
        headers={"WWW-Authenticate": challenge},
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
