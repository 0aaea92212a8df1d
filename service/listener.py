"""The listener: the socket that callers come in by, and how it is closed without turning anyone away halfway."""

import ctypes
import socket
import struct

from service.settings import Settings, SettingsError

_SO_ATTACH_FILTER = 26  # Linux, asm-generic/socket.h; Python has no name for it
# Classic BPF over the TCP header: load the byte of flags; where SYN is set drop the packet, else keep it whole.
_DROP_SYN = ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))


def open_listener(settings: Settings) -> socket.socket:
    """Listen on the address of the settings.

    Raises: SettingsError: it cannot be had.
    """
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


def address(listener: socket.socket) -> str:
    """Where it listens, as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def begin_no_more(listener: socket.socket) -> bool:
    """Let no new connection begin, while those begun can still be accepted.

    A listener that is closed resets every connection that its kernel has taken and nobody has accepted yet: callers
    who believe that they are connected lose what they sent. So new ones are held off first: their first packet is
    dropped unanswered, and when they send it again a second later, the port is closed, which is a clear answer.

    Returns: whether this system can do that; Linux can.
    """
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in _DROP_SYN)
    buffer = ctypes.create_string_buffer(program)
    length_and_address = struct.pack("HP", len(_DROP_SYN), ctypes.addressof(buffer))
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, length_and_address)
    except OSError:
        return False
    return True
