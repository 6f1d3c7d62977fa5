"""Work that is shared among the cores of a CPU by its parts instead of within each operation.

Two threads that share every small operation of a network wait for each other hundreds of times; on two cores they were
little faster than one. Two threads that each take half of a batch and a core of their own do not wait.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

__all__ = ["over_threads", "workers_for"]

ROWS_OF_A_WORKER = 4
"""Of a batch, at least: with fewer a core loses some of its speed."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def workers_for(rows: int, device: torch.device) -> int:
    """How many threads share a batch of a network: one for each core of a CPU while there are rows enough."""
    return max(1, min(torch.get_num_threads(), rows // ROWS_OF_A_WORKER)) if device.type == "cpu" else 1


def over_threads(work: Callable[[Item], Result], items: Iterable[Item], workers: int) -> list[Result]:
    """`[work(item) for item in items]` on so many threads, among which the cores are shared out.

    Gradients are recorded if they are where this is called. The first error of an item is raised.
    """
    if workers == 1:
        return [work(item) for item in items]
    recording, threads = torch.is_grad_enabled(), torch.get_num_threads()

    def run(item: Item) -> Result:
        with torch.set_grad_enabled(recording):
            return work(item)

    cores = max(1, threads // workers)
    torch.set_num_threads(cores)
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(cores,)) as pool:
            return list(pool.map(run, items))
    finally:
        torch.set_num_threads(threads)
