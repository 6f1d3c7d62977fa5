"""Every test of the loop runs on one thread, and Ctrl-C works as in a terminal."""

import signal
from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(scope="module", autouse=True)
def as_in_a_terminal() -> Iterator[None]:
    """Under nohup, Python starts without its handler of SIGINT."""
    threads, handler = torch.get_num_threads(), signal.signal(signal.SIGINT, signal.default_int_handler)
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    signal.signal(signal.SIGINT, handler)
