"""The listener: it can be closed without a reset."""

import socket
import sys

import pytest

from service.listener import address, begin_no_more, open_listener
from service.settings import Settings


def test_the_end_of_an_answer_does_not_wait_for_a_delayed_acknowledgement() -> None:
    with open_listener(Settings(port=0)) as listener:
        caller = socket.create_connection(listener.getsockname())
        connection, _ = listener.accept()
        with caller, connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_address_is_a_url() -> None:
    with open_listener(Settings(port=0)) as listener:
        assert address(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can drop the first packet of a connection")
def test_a_connection_that_has_begun_is_accepted_and_a_later_one_does_not_begin() -> None:
    with open_listener(Settings(port=0)) as listener:
        early = socket.create_connection(listener.getsockname())

        assert begin_no_more(listener)

        late = socket.socket()
        late.settimeout(0.1)
        with early, late, pytest.raises(TimeoutError):
            early.sendall(b"hello")
            connection, _ = listener.accept()
            with connection:
                assert connection.recv(5) == b"hello"
            late.connect(listener.getsockname())
