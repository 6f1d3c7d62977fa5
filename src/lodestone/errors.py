"""The one error that a user is meant to see."""

__all__ = ["SettingError", "check_range"]


class SettingError(ValueError):
    """A setting, file or machine cannot do what was asked.

    The message is one sentence that names the setting and the remedy; the command line prints it and exits with code 2.
    """


def check_range(name: str, value: int | float, low: int | float, high: int | float) -> None:
    """Raises: SettingError unless `low <= value <= high`; NaN never is."""
    if not low <= value <= high:
        raise SettingError(f"{name} is {value}: choose a number from {low} to {high}")
