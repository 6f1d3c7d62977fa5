"""`lodestone evaluate`: one sentence for what is wrong; finished runs, and prompts that are run first."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lodestone import runs
from lodestone.cli import main
from lodestone.errors import SettingError
from lodestone.evaluation.judge.network import Judge
from lodestone.evaluation.report import assets
from lodestone.evaluation.report import runs as report_runs
from lodestone.evaluation.report.runs import evaluate_run, find_runs, finish_run, read_prompts, seconds_of
from lodestone.export.pictures import render_views
from lodestone.optimize.run_folder import RunFolder
from lodestone.optimize.watchdog import OptimizationStopped
from lodestone.recipes.choose import Choice
from lodestone.stored_runs import read_solid

pytestmark = pytest.mark.usefixtures("apart")

TINY = [
    *("--recipe", "sds-gs", "--prior", "empirical", "--quiet", "--plan.steps", "2", "--plan.views", "1"),
    *("--plan.preview-every", "0", "--scene.initialization.count", "60"),
]


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished run without its files; copy it before changing it."""
    output = tmp_path_factory.mktemp("evaluated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "write_files", lambda *words: [])
        assert main(["generate", "a hamburger", "--output", str(output), *TINY]) == 0
    return next(output.glob("*/*"))


@pytest.fixture
def quick(monkeypatch):
    """Small views, no ranks, and runs without their files: turntables take longer than everything else here."""
    monkeypatch.setattr(runs, "write_files", lambda *words: [])
    monkeypatch.setattr(assets, "SIZE", 64)
    monkeypatch.setattr(report_runs, "open_index", lambda prompts, quiet: None)


def complaint(capsys, *words):
    """The sentence on stderr after a command that must fail with exit code 2 and leave nothing behind."""
    capsys.readouterr()
    before = sorted(Path().iterdir())
    assert main(["evaluate", *map(str, words)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("lodestone: ") and said.count("\n") == 1
    assert sorted(Path().iterdir()) == before, "something was left behind"
    return said.removeprefix("lodestone: ").strip()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "there is nothing to evaluate: name run folders, or give a file of prompts with --prompts"),
        (["absent"], "there is no folder absent: name a run folder, or a folder of them"),
        (["."], "there is no finished 3D asset in .: name the folder of a run"),
        (["--prompts", "absent.txt"], "there is no file absent.txt: write one prompt on each line of it"),
        (["--prompts=absent.txt"], "there is no file absent.txt"),
        (["--prompts"], "argument --prompts: expected one argument"),
        (["run", "--prompts", "absent.txt"], "run stands beside --prompts: name run folders, or a file of prompts"),
        ([".", "--recipe", "sds-gs"], "unrecognized arguments: --recipe"),
    ],
)
def test_what_is_wrong_is_one_sentence(capsys, words, sentence):
    assert sentence in complaint(capsys, *words)


@pytest.mark.parametrize(
    ("text", "words", "sentence"),
    [
        ("", [], "holds no prompts: write one on each line of it"),
        ("# nothing\n\n   \n", [], "holds no prompts"),
        ("a mug\n", ["--recipe", "magic"], "there is no recipe 'magic'"),
        ("a mug\n", ["--recipe", "playground"], "recipe playground makes flat pictures: choose one in 3D"),
        ("a mug\n", ["--plan.stepz", "3"], "unrecognized options: --plan.stepz"),
        ("a mug\n", ["--device", "banana"], "device is 'banana': choose cpu or cuda"),
        ("a mug\n" + 2000 * "x", [], "the prompt has 2000 characters"),
        (b"\xff\xfe", [], "cannot be read as text"),
    ],
)
def test_a_file_of_prompts_that_is_wrong_is_one_sentence(capsys, tmp_path, text, words, sentence):
    file = tmp_path / "prompts.txt"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert sentence in complaint(capsys, "--prompts", file, *words)


def test_prompts_are_the_lines_that_say_something(tmp_path):
    file = tmp_path / "prompts.txt"
    file.write_text("# a comment\n a red mug \n\na lemon\n  # another\na red mug\n", encoding="utf-8")
    assert read_prompts(file) == ["a red mug", "a lemon"]


def test_runs_are_found_below_a_folder_and_the_unfinished_ones_are_named(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "a" / "one")
    shutil.copytree(finished, tmp_path / "b" / "two")
    shutil.copytree(finished, tmp_path / "b" / "two" / "previous")
    (tmp_path / "a" / "one" / "timing.json").unlink()
    found, others = find_runs(tmp_path)
    assert found == [tmp_path / "b" / "two"]
    assert "is not finished: `lodestone resume" in others[str(tmp_path / "a" / "one")] and len(others) == 1
    assert find_runs(finished) == ([finished], {})
    with pytest.raises(SettingError, match=r"no finished 3D asset in .*; .* is not finished"):
        find_runs(tmp_path / "a")


def test_seconds_are_those_of_all_stages(finished, tmp_path):
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    lines = [{"seconds": {"rendering": 1.0, "denoiser": 0.5}}, {"seconds": {"rendering": 0.25}}]
    (run / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    assert seconds_of(run) == 1.75
    shutil.copytree(run, run / "previous")
    assert seconds_of(run) == 3.5
    (run / "metrics.jsonl").write_text("[]\n")
    assert seconds_of(run) is None
    (run / "metrics.jsonl").unlink()
    assert seconds_of(run) is None


def test_a_run_is_looked_at_from_its_own_distance(finished):
    judge = Judge((4, 8)).eval()
    asset = evaluate_run(judge, finished).asset
    scene, experiment = read_solid(finished)
    front = next(iter(render_views(scene, experiment.evaluation.viewpoints(1), 192)))
    assert experiment.evaluation.elevation == 10
    assert asset.prompt == "a hamburger" and asset.kind == "single object" and asset.figures.seconds > 0
    assert len(asset.sides) == len(asset.azimuth) == 8 and asset.figures.chroma > 0
    seen = judge(front.color[:1].permute(0, 3, 1, 2))
    assert asset.sides[0] == int(seen.quadrant.argmax())


@pytest.mark.usefixtures("quick")
def test_a_folder_of_runs_becomes_a_report(finished, tmp_path, capsys):
    shutil.copytree(finished, tmp_path / "runs" / "one")
    broken = tmp_path / "runs" / "two"
    shutil.copytree(finished, broken)
    (broken / "checkpoints" / "step-000002.safetensors").write_bytes(b"")
    output = tmp_path / "report"
    assert main(["evaluate", str(tmp_path / "runs"), "--output", str(output), "--quiet"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [str(output / "report.json"), str(output / "report.html")]
    assert "1 without an asset" in said.err
    stored = json.loads((output / "report.json").read_text())
    assert [asset["prompt"] for asset in stored["assets"]] == ["a hamburger"]
    assert stored["assets"][0]["recipe"] == "sds-gs" and stored["assets"][0]["category"] in (0, 1)
    assert "is damaged" in stored["left_out"][str(broken)]


def test_a_run_is_begun_continued_or_taken_as_it_is(finished, tmp_path, monkeypatch):
    run = Path(shutil.copytree(finished, tmp_path / finished.parent.name / finished.name))
    scene, experiment = read_solid(finished)
    done = []

    def note(name):
        def stand_in(*words, **how):
            done.append(name)
            return runs.FinishedRun(RunFolder(run), scene, (), name == "resume")

        return stand_in

    for name in ("generate", "resume"):
        monkeypatch.setattr(report_runs, name, note(name))
    how = {"output": tmp_path, "choice": Choice(), "formats": None, "quiet": True}
    assert finish_run(experiment, **how) == run and done == []
    (run / "timing.json").unlink()
    assert finish_run(experiment, **how) == run and done == ["resume"]
    assert finish_run(replace(experiment, seed=1), **how) is None, "the user has interrupted it"
    assert done == ["resume", "generate"]


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_prompts_are_run_once_and_what_is_interrupted_goes_on(tmp_path, capsys, monkeypatch):
    began, resumed, generate, resume = [], [], report_runs.generate, report_runs.resume
    monkeypatch.setattr(
        report_runs, "generate", lambda one, **how: began.append(one.prompt.text) or generate(one, **how)
    )
    monkeypatch.setattr(report_runs, "resume", lambda path, **how: resumed.append(path) or resume(path, **how))
    file = tmp_path / "prompts.txt"
    words = ["evaluate", "--prompts", str(file), "--output", "out", *TINY]

    file.write_text("a hamburger\n# later\n")
    assert main(words) == 0 and began == ["a hamburger"]
    (first,) = (file.parent for file in Path("out").glob("*/*/experiment.yaml"))
    (first / "timing.json").unlink()
    file.write_text("a teapot\na hamburger\n")
    assert main(words) == 0 and began == ["a hamburger", "a teapot"] and resumed == [first]
    stored = json.loads(Path("out/report.json").read_text())
    assert [asset["prompt"] for asset in stored["assets"]] == ["a teapot", "a hamburger"]
    assert Path("out/report.html").is_file() and stored["assets"][0]["recipe"] == "sds-gs"

    file.write_text("a hamburger\n")
    assert main(words) == 0 and len(began) == 2 and len(resumed) == 1
    assert main([*words, "--seed", "1"]) == 0 and began[2:] == ["a hamburger"], "another seed is another run"
    assert len(json.loads(Path("out/report.json").read_text())["assets"]) == 1
    capsys.readouterr()


@pytest.mark.usefixtures("quick")
def test_a_run_that_stops_itself_is_named(tmp_path, capsys, monkeypatch):
    def stop(one, **how):
        raise OptimizationStopped("step 1: the scene has become empty")

    file = tmp_path / "prompts.txt"
    file.write_text("a red mug\n")
    monkeypatch.setattr(report_runs, "generate", stop)
    assert main(["evaluate", "--prompts", str(file), "--output", "out", *TINY]) == 2
    assert capsys.readouterr().err == "lodestone: a red mug has no asset (step 1: the scene has become empty)\n"


@pytest.mark.slow
def test_evaluation_of_a_run_with_all_of_its_files(tmp_path, capsys):
    file = tmp_path / "prompts.txt"
    file.write_text("a red mug\n")
    assert main(["evaluate", "--prompts", str(file), "--output", "out", *TINY]) == 0
    assert len(list(Path("out").glob("*/*/asset/views.png"))) == 1
    assert capsys.readouterr().out.splitlines() == ["out/report.json", "out/report.html"]


def test_help_of_both_forms(capsys):
    for words, said in ((["--help"], "RUN"), (["--prompts", "x", "--help"], "--recipe")):
        with pytest.raises(SystemExit):
            main(["evaluate", *words])
        assert said.lower() in capsys.readouterr().out.lower()
    assert main(["--help"]) == 0 and "evaluate RUN" in capsys.readouterr().out
