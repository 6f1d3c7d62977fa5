"""The one error that a user is meant to see."""

__all__ = ["SettingError"]


class SettingError(ValueError):
    """A setting, file or machine cannot do what was asked.

    The message is one sentence that names the setting and the remedy; the command line prints it and exits with code 2.
    """
