"""Compiles the native CPU kernels when the package is installed or a wheel is built.

Without a C++ compiler the build asks for the `ziglang` package, which holds one. If compiling fails all the same, the
package is installed without the native kernels, and says so, because plain torch replaces them;
LODESTONE_NATIVE=require makes that an error, for releases.
"""

import importlib.util
import os
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

KERNELS = Path("src", "lodestone", "kernels")


def _build_module(root: Path) -> ModuleType:
    """`lodestone.kernels.build`, by its path: the package itself is not installed yet."""
    specification = importlib.util.spec_from_file_location("lodestone_kernels_build", root / KERNELS / "build.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class NativeKernelsHook(BuildHookInterface[Any]):
    """Compiles for wheels, editable ones too; a source distribution carries the sources only."""

    def dependencies(self) -> list[str]:
        """What the build needs beyond hatchling."""
        return ["ziglang>=0.13"] if _build_module(Path(self.root)).find_compiler() is None else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compiles, adds the libraries to the wheel and names the platform that it is for."""
        if self.target_name != "wheel":
            return
        build = _build_module(Path(self.root))
        try:
            libraries = build.compile_all()
        except build.BuildError as error:
            if os.environ.get("LODESTONE_NATIVE") == "require":
                raise
            self.app.display_warning(f"The native kernels are left out, rendering will be slow: {error}")
            return
        build_data["artifacts"].extend((KERNELS / "native" / path.name).as_posix() for path in libraries)
        build_data["pure_python"] = False
        # No part of the libraries depends on the version of Python.
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
