"""Optional libraries, and the sentence for who lacks one."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

from lodestone.errors import SettingError

__all__ = ["installed", "needs", "require"]

LIBRARIES = {"mesh": ("skimage", "xatlas", "fast_simplification", "trimesh")}
"""What an extra brings."""


def missing(extra: str) -> str | None:
    """The first of an extra's libraries that is not installed."""
    return next((name for name in LIBRARIES[extra] if importlib.util.find_spec(name) is None), None)


def installed(extra: str) -> bool:
    """Whether an extra's libraries are there."""
    return missing(extra) is None


def require(extra: str) -> None:
    """Raises: SettingError if one of an extra's libraries is not installed."""
    if (name := missing(extra)) is not None:
        raise SettingError(remedy(extra, name))


def remedy(extra: str, library: str | None) -> str:
    """What to do."""
    return f"this needs {library}, which is not installed: run `pip install 'lodestone3d[{extra}]'`"


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Around imports of an extra's libraries.

    Raises: SettingError if one is missing.
    """
    try:
        yield
    except ImportError as error:
        raise SettingError(remedy(extra, error.name)) from error
