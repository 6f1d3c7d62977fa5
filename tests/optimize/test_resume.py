"""A run that was interrupted and resumed is the undisturbed run, to the bit."""

import json
import shutil
import signal

import pytest
import torch
from small_run import METHODS, Run, small_experiment

from lodestone.errors import SettingError
from lodestone.optimize.run_folder import RunFolder
from lodestone.storage import save_tensors


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The finished run of each method."""
    runs = {method: Run.new(tmp_path_factory.mktemp(method), small_experiment(method)) for method in METHODS}
    assert all(run.go() for run in runs.values())
    return {method: run.tensors() for method, run in runs.items()}


def steps_in(path):
    return [json.loads(line)["step"] for line in (path / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("step", [1, 4, 5, 8, 11])
def test_interrupted_and_resumed_is_undisturbed(tmp_path, undisturbed, method, step):
    """Rounds of density control lie before and after; the first Ctrl-C finishes its step."""
    experiment = small_experiment(method)
    assert not Run.new(tmp_path, experiment).go(interrupt_after=step)
    assert RunFolder(tmp_path).last_checkpoint.stem == f"step-{step:06d}"
    run = Run.resumed(tmp_path, experiment)
    assert run.go()
    resumed = run.tensors()
    assert resumed.keys() == undisturbed[method].keys()
    assert all(torch.equal(resumed[name], tensor) for name, tensor in undisturbed[method].items())
    assert steps_in(tmp_path) == list(range(12))


def test_a_run_resumed_after_every_step_is_undisturbed(tmp_path, undisturbed):
    experiment = small_experiment("lods")
    Run.new(tmp_path, experiment).go(interrupt_after=1)
    for step in range(2, 13):
        Run.resumed(tmp_path, experiment).go(interrupt_after=step)
    resumed = Run.resumed(tmp_path, experiment).tensors()
    assert all(torch.equal(resumed[name], tensor) for name, tensor in undisturbed["lods"].items())
    assert steps_in(tmp_path) == list(range(12))


def test_what_a_killed_run_did_after_its_checkpoint_is_done_again(tmp_path, undisturbed):
    """Killed at step 8: the metrics have eight lines, the newest checkpoint is of step 5."""
    experiment = small_experiment()
    Run.new(tmp_path, experiment).go(interrupt_after=8)
    (tmp_path / "checkpoints" / "last").write_text("step-000005.safetensors\n")
    with (tmp_path / "metrics.jsonl").open("a") as metrics:
        metrics.write('{"step": 8, "win')
    run = Run.resumed(tmp_path, experiment)
    assert run.state.step == 5 and run.go()
    assert all(torch.equal(run.tensors()[name], tensor) for name, tensor in undisturbed["sds"].items())
    assert steps_in(tmp_path) == list(range(12))


@pytest.fixture
def stopped(tmp_path):
    """A run that was interrupted after step 6."""
    Run.new(tmp_path, small_experiment("lods")).go(interrupt_after=6)
    return RunFolder(tmp_path)


def test_a_checkpoint_of_another_method_is_refused(stopped):
    Run.new(stopped.path / "sds", small_experiment("sds")).go(interrupt_after=6)
    shutil.copy(RunFolder(stopped.path / "sds").last_checkpoint, stopped.last_checkpoint)
    with pytest.raises(SettingError, match=r"does not fit its experiment\.yaml"):
        Run.resumed(stopped.path, small_experiment("lods"))


def test_a_checkpoint_of_another_version_is_refused(stopped):
    save_tensors(stopped.last_checkpoint, {"generator": torch.zeros(1)}, {"version": 99, "step": 1})
    with pytest.raises(SettingError, match="written by another version"):
        Run.resumed(stopped.path, small_experiment("lods"))


def test_a_damaged_checkpoint_is_refused_with_the_way_to_an_earlier_one(stopped):
    content = bytearray(stopped.last_checkpoint.read_bytes())
    content[-1] ^= 1
    stopped.last_checkpoint.write_bytes(content)
    with pytest.raises(SettingError, match=r"is damaged .* use an earlier one \(write its name into .*last\)"):
        Run.resumed(stopped.path, small_experiment("lods"))
    (stopped.path / "checkpoints" / "last").write_text("step-000005.safetensors")
    assert Run.resumed(stopped.path, small_experiment("lods")).state.step == 5


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"../elsewhere.safetensors"])
def test_a_pointer_to_no_checkpoint_is_refused(stopped, content):
    (stopped.path / "checkpoints" / "last").write_bytes(content)
    with pytest.raises(SettingError, match="names no checkpoint"):
        _ = stopped.newest


def test_a_run_without_a_checkpoint_says_so(tmp_path):
    assert RunFolder(tmp_path).newest is None
    with pytest.raises(SettingError, match="holds no checkpoint yet: `lodestone resume"):
        _ = RunFolder(tmp_path).last_checkpoint


def test_the_second_ctrl_c_quits_in_the_middle_of_a_step_and_the_last_checkpoint_stays(tmp_path):
    run = Run.new(tmp_path, small_experiment())
    run.state.optimizer.register_step_pre_hook(lambda *_: press_twice(run.state.step))
    with pytest.raises(KeyboardInterrupt):
        run.go()
    assert run.folder.newest == run.folder.checkpoint(5)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def press_twice(step):
    """Two interrupts inside step 7."""
    if step == 7:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
