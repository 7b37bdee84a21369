"""Errors that a user can correct: each names where, what was found, what is allowed, the way out.

ReeltagError
|- ConfigError     an option that cannot be built or used
|  `- MissingPackageError     for want of a package of an extra
|- DataError       what was read is not what is allowed
|- OutputError     what should be written cannot be
|- HubUnreachableError     the Hugging Face Hub cannot be reached, and what it has is needed
`- TrainingError   training cannot go on
"""

import os


class ReeltagError(Exception):
    """The root of all errors that the command line shows without a traceback (exit status 2).

    Args:
        what: what was found and what is allowed, in one sentence.
        where: file, record offset or id it was found at.
        hint: the way out.
    """

    def __init__(self, what: str, *, where: object = "", hint: str = "") -> None:
        self.what, self.where, self.hint = what, str(where), hint
        text = f"{self.where}: {what}" if self.where else what
        super().__init__(f"{text}\n  {hint}" if hint else text)


class ConfigError(ReeltagError):
    """An option that cannot be built or used."""


class MissingPackageError(ConfigError, ImportError):
    """A package of an extra of reeltag is not installed."""


class DataError(ReeltagError):
    """What was read is not what is allowed."""


class OutputError(ReeltagError):
    """What should be written cannot be written."""


class HubUnreachableError(ReeltagError):
    """The Hugging Face Hub cannot be reached, or has no answer now."""


class TrainingError(ReeltagError):
    """Training cannot go on."""


def reason_of(error: BaseException) -> str:
    """Return why something could not be read, in one printable line without a path or a number.

    >>> reason_of(FileNotFoundError(2, "[Errno 2] No such file or directory: 'x'"))
    'No such file or directory'
    """
    code = error.errno if isinstance(error, OSError) else None
    if code:
        return os.strerror(code)
    lines = "".join(c if c.isprintable() or c == "\n" else " " for c in str(error)).split("\n")
    return next((line.strip() for line in lines if line.strip()), type(error).__name__)
