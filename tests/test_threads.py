"""Parts of a work on threads give what one thread gives."""

import pytest
import torch

from lodestone.threads import over_threads


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_the_order_of_the_items(workers: int) -> None:
    assert over_threads(lambda number: number**2, range(7), workers) == [number**2 for number in range(7)]


@pytest.mark.parametrize(("cores", "workers", "each"), [(1, 2, 1), (2, 2, 1), (6, 2, 3), (7, 3, 2)])
def test_the_cores_are_shared_out_and_the_caller_gets_its_own_back(cores: int, workers: int, each: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(cores)
    try:
        assert set(over_threads(lambda _: torch.get_num_threads(), range(4), workers)) == {each}
        assert torch.get_num_threads() == cores
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("recording", [True, False])
def test_gradients_are_recorded_where_the_caller_records_them(recording: bool) -> None:
    weight = torch.ones(3, requires_grad=True)
    with torch.set_grad_enabled(recording):
        parts = over_threads(lambda factor: (factor * weight).sum(), [1.0, 2.0], 2)
    assert [part.requires_grad for part in parts] == [recording] * 2
    if recording:
        torch.stack(parts).sum().backward()
        assert weight.grad is not None
        assert weight.grad.tolist() == [3.0] * 3


def test_an_error_of_an_item_is_raised_and_the_threads_are_given_back() -> None:
    before = torch.get_num_threads()

    def work(number: int) -> float:
        return 1 / number

    with pytest.raises(ZeroDivisionError):
        over_threads(work, [1, 0], 2)
    assert torch.get_num_threads() == before
