"""Optional libraries, and the sentence for who lacks one."""

from collections.abc import Iterator
from contextlib import contextmanager

from lodestone.errors import SettingError

__all__ = ["needs"]


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Around imports of an extra's libraries.

    Raises: SettingError if one is missing.
    """
    try:
        yield
    except ImportError as error:
        raise SettingError(
            f"this needs {error.name}, which is not installed: run `pip install 'lodestone3d[{extra}]'`"
        ) from error
