"""Proof that code stays offline."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

__all__ = ["offline"]


@contextmanager
def offline() -> Iterator[None]:
    """Refuses every connection and name look-up inside the block.

    Raises: AssertionError at the end of the block if something tried, even if it swallowed the refusal.
    """
    attempts: list[str] = []

    def refuse(*arguments: Any, **_: Any) -> Any:
        attempts.append(repr(arguments))
        raise OSError(f"no network here: {arguments!r}")

    with mock.patch.object(socket.socket, "connect", refuse), mock.patch.object(socket, "getaddrinfo", refuse):
        yield
    if attempts:
        raise AssertionError(f"the network was asked for {attempts[0]}")
