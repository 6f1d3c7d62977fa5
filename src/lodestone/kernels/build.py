"""Compiles the native CPU kernels: `python -m lodestone.kernels.build`.

The kernels are C++17 with a plain C interface, so that one library serves every Python and every torch. On x86-64 each
is compiled twice, for processors with AVX2 and for all others, and `native.py` chooses when it loads them. This file
imports nothing but the standard library: the build hook of the package loads it by its path, where neither torch nor
lodestone is installed.
"""

import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["SOURCE_FOLDER", "Build", "BuildError", "builds", "compile_all", "find_compiler"]

SOURCE_FOLDER = Path(__file__).resolve().parent / "native"
SOURCES = ("splatting", "hash_encoding", "perceptron", "compositing", "ray_marching", "rasterization")
FLAGS = (
    "-std=c++17",
    "-O3",
    "-shared",
    "-pthread",
    "-fvisibility=hidden",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
    "-Wall",
    "-Wextra",
    "-Wno-psabi",
)


class BuildError(RuntimeError):
    """A kernel could not be compiled; the message ends with what the compiler said."""


class Build(NamedTuple):
    """One way to compile every kernel: the name ends the file's name; the processor is the oldest it runs on."""

    name: str
    processor: str | None

    def library(self, source: str) -> Path:
        """Where the library compiled from `source` lies."""
        suffix = ".dll" if sys.platform == "win32" else ".so"
        return SOURCE_FOLDER / f"{source}-{self.name}{suffix}"


def builds(machine: str | None = None) -> tuple[Build, ...]:
    """The builds for a machine (`platform.machine()` by default), the fastest first."""
    if (machine or platform.machine()).lower() in ("x86_64", "amd64"):
        return Build("x86-64-v3", "x86-64-v3"), Build("baseline", "x86-64")
    return (Build("baseline", None),)


def find_compiler() -> list[str] | None:
    """The C++ compiler's command: `$CXX`, one on the path, or the one in the `ziglang` package; None without any."""
    if chosen := os.environ.get("CXX"):
        return shlex.split(chosen)
    for name in ("c++", "g++", "clang++"):
        if found := shutil.which(name):
            return [found]
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "c++"]
    return None


def _processor_flags(compiler: Sequence[str], processor: str | None) -> tuple[str, ...]:
    if "ziglang" in compiler:  # it writes names with underscores, and takes the processor it runs on by default
        return (f"-mcpu={processor.replace('-', '_') if processor else 'baseline'}",)
    return (f"-march={processor}",) if processor else ()


def _platform_flags() -> tuple[str, ...]:
    if sys.platform == "win32":
        return ()
    if sys.platform == "darwin":
        return ("-fPIC",)
    # The C++ runtime goes into the library: a wheel must not ask for a newer one than its user has.
    return ("-fPIC", "-static-libstdc++", "-static-libgcc", "-s")


def _compile(compiler: Sequence[str], source: str, build: Build) -> Path:
    target = build.library(source)
    # Under a name of its own until it is whole: another process may be loading the old library.
    unfinished = target.with_suffix(f".{os.getpid()}.tmp")
    code = SOURCE_FOLDER / f"{source}.cpp"
    command = [
        *compiler,
        *FLAGS,
        *_platform_flags(),
        *_processor_flags(compiler, build.processor),
        str(code),
        "-o",
        str(unfinished),
    ]
    try:
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        if finished.returncode != 0:
            raise BuildError(
                f"{shlex.join(command)} failed with code {finished.returncode}:\n{finished.stderr[-4000:]}"
            )
        os.replace(unfinished, target)
    except OSError as error:
        raise BuildError(f"{shlex.join(command)} could not be run: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return target


def compile_all() -> list[Path]:
    """Compiles every kernel for every build of this machine, beside the sources, and returns the libraries' paths.

    Raises:
        BuildError: If there is no C++ compiler or it refuses.
    """
    compiler = find_compiler()
    if compiler is None:
        raise BuildError("no C++ compiler found: install g++ or clang++, or `pip install ziglang`, or set CXX")
    return [_compile(compiler, source, build) for source in SOURCES for build in builds()]


def main() -> None:
    """Compiles the kernels and names the libraries."""
    try:
        for path in compile_all():
            print(path)
    except BuildError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
