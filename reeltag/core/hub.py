"""The Hugging Face Hub: its client, and what can go wrong on the way to it, in words.

Nothing is sent but what a command asks for: the client's telemetry is off, unless
HF_HUB_DISABLE_TELEMETRY says otherwise. HF_ENDPOINT names another hub.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reeltag.core.errors import HubUnreachableError, ReeltagError, reason_of
from reeltag.core.extras import check_extra

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_REASON = 160  # characters of an error of the hub that are shown
_LOG_IN = "log in with `hf auth login`, or set HF_TOKEN to a token"


def hub_client() -> "HfApi":
    """Return the client of the hub; MissingPackageError where it is not installed."""
    prepare_hub_import()
    from huggingface_hub import HfApi

    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"))


def prepare_hub_import() -> None:
    """Turn telemetry off, which the hub's package reads once: to be called before its import.

    Raises:
        MissingPackageError: it is not installed.
    """
    check_extra("hub")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


@contextmanager
def reaching_hub(address: str, kind: type[ReeltagError]) -> Iterator[None]:
    """Raise errors that name the way out for what goes wrong with the hub within the block.

    Args:
        address: what is read or written, `hf://user/name`.
        kind: of the error where the hub refuses it, or has no such thing.

    Raises:
        ReeltagError: of `kind`; the hub has no such repository or revision, or refuses it.
        HubUnreachableError: the hub cannot be reached, or has no answer now.
    """
    try:
        yield
    except ReeltagError:
        raise
    except Exception as error:  # the client raises what its HTTP library does
        found = _in_words(error, address, kind)
        if found is None:
            raise
        raise found from error


def _in_words(error: BaseException, address: str, kind: type[ReeltagError]) -> ReeltagError | None:
    """Return an error in our words; None where it has nothing to do with the hub."""
    from huggingface_hub import errors

    network = errors.HfHubHTTPError.__mro__[1]  # of its HTTP library
    what = hint = ""
    if isinstance(error, errors.HFValidationError):
        what, hint = f"is no name of a repository ({_shown(error)})", "It is called user/name."
    elif isinstance(error, errors.GatedRepoError):
        what = "is open only to who accepts its conditions"
        hint = f"Accept them on its page, and {_LOG_IN}."
    elif isinstance(error, errors.RepositoryNotFoundError):
        what = "there is no such repository, or it is private"
        hint = f"Look for a mistake in its name; for a private one, {_LOG_IN}."
    elif isinstance(error, errors.RevisionNotFoundError):
        what = "the repository has no such revision"
        hint = "Name a branch, a tag or a commit of it, or leave the @REVISION out."
    elif isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code
        if status == 429 or status >= 500:
            return _unreachable(error, address, "Try it again later.")
        what = f"the hub refuses it ({_shown(error)})"
        hint = f"For this, {_LOG_IN} that may do it." if status in (401, 403) else ""
    elif isinstance(error, errors.OfflineModeIsEnabled):
        return _unreachable(error, address, "Unset HF_HUB_OFFLINE.")
    elif isinstance(error, (network, ConnectionError, TimeoutError)):
        return _unreachable(error, address, "Connect this machine to the internet.")
    elif isinstance(error, RuntimeError | ValueError):
        cause = error.__cause__ or error  # the client wraps what went wrong with a file
        if cause is not error and (found := _in_words(cause, address, kind)):
            return found
        what = f"the client of the hub gave up ({_shown(cause)})"
    return kind(what, where=address, hint=hint) if what else None


def _unreachable(error: BaseException, address: str, hint: str) -> HubUnreachableError:
    what = f"the hub cannot be reached ({_shown(error)})"
    return HubUnreachableError(what, where=address, hint=hint)


def _shown(error: BaseException) -> str:
    return reason_of(error)[:_REASON].rstrip(".")
