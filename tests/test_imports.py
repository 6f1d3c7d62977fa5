"""The arrows point one way, and the light parts stay light."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import lodestone

SOURCE = Path(lodestone.__file__).parent

ORDER = (
    ("lodestone",),
    ("errors",),
    ("allocation", "arrays", "schedules", "storage", "precision", "pretrained", "threads"),
    ("kernels",),
    ("rendering",),
    ("data.worlds",),
    ("data.emoji", "data.captions"),
    ("prompts",),
    ("data",),  # one exception inside `data`: what makes its files reads words
    ("priors",),
    ("distillation",),
    ("testing",),  # contracts for estimators, and a tiny Stable Diffusion
    ("scenes",),
    ("export",),
    ("evaluation",),
    ("optimize",),
    ("data.training", "evaluation.judge.state", "evaluation.judge.training"),
    ("recipes",),
    ("oracle",),
    ("stored_runs",),
    ("runs", "playground"),
    ("evaluation.report",),
    ("launch",),
    ("doctor",),
    ("cli",),
)
"""A module imports from its own row and from rows above it."""

PICKLES = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}


def modules():
    """Every module by its name below the package."""
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "lodestone", ast.parse(path.read_text())


MODULES = dict(modules())


def row(module):
    """Where a module stands in the order, by the longest name that is written there."""
    parts = module.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((index for name in names for index, group in enumerate(ORDER) if name in group), None)


def imported(tree):
    """Full names of everything that a module imports, at its top and inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def inside(name):
    """A full name as a module of this package; None for any other."""
    if name.partition(".")[0] != "lodestone":
        return None
    below = name.partition(".")[2]
    while below and below not in MODULES:
        below = below.rpartition(".")[0]
    return below or "lodestone"


def is_type_checking(tree):
    """Imports that only a type checker sees."""
    guarded = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return {name for node in guarded for name in imported(node)}


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_its_place(module):
    assert row(module) is not None, f"write {module} into ORDER"


@pytest.mark.parametrize("module", MODULES)
def test_no_import_points_back(module):
    targets = {inside(name) for name in set(imported(MODULES[module])) - is_type_checking(MODULES[module])} - {None}
    back = sorted(target for target in targets if row(target) > row(module))
    assert not back, f"{module} imports {back}, which stands after it"


@pytest.mark.parametrize("module", MODULES)
def test_nothing_unpickles(module):
    names = {name.partition(".")[0] for name in imported(MODULES[module])}
    assert not names & PICKLES
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "torch.load",
            "torch.save",
            "np.load",
            "numpy.load",
        ):
            safe = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert ast.unparse(node.func) == "torch.load" and safe.get("weights_only") == "True", ast.unparse(node)


def loaded_by(statement):
    """Which heavy libraries a statement brings into a fresh interpreter."""
    heavy = ("torch", "diffusers", "transformers", "numpy", "tyro", "gsplat")
    code = f"{statement}\nimport sys\nprint('HEAVY', *(name for name in {heavy!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split("HEAVY")[1].split()


def test_the_package_alone_imports_nothing_heavy():
    assert loaded_by("import lodestone") == []


@pytest.mark.parametrize("words", [["--help"], ["--version"], []])
def test_help_and_version_answer_without_torch(words):
    assert loaded_by(f"from lodestone.cli import main\nassert main({words!r}) == 0") == []


def test_the_loop_needs_torch_alone_of_the_heavy_ones():
    assert not {"diffusers", "transformers", "gsplat"} & set(loaded_by("import lodestone.runs"))


def test_torchvision_is_not_installed():
    """transformers and diffusers must work without it; where it is there, its absence is not tested."""
    assert importlib.util.find_spec("torchvision") is None
