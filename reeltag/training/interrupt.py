"""Messages for a training that was stopped from outside: by Ctrl-C, or by a full disk."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reeltag.core.console import say
from reeltag.core.errors import OutputError
from reeltag.core.writing import writing
from reeltag.training.run_folder import resume_command


@contextmanager
def explained(out: Path) -> Iterator[None]:
    """Log how to go on after Ctrl-C or a full disk.

    Lightning turns KeyboardInterrupt into an exit with status 1; nothing else of a fit exits.
    """
    hook = threading.excepthook
    threading.excepthook = lambda args: None if args.exc_type is OSError else hook(args)
    try:  # (TensorBoard's thread fails first; its error is raised here too)
        with writing(out):
            yield
    except (SystemExit, KeyboardInterrupt) as error:
        if int(os.environ.get("RANK", 0)) == 0:
            kept = (out / "resume.ckpt").exists()
            say(
                f"stopped; `{resume_command(out)}` goes on"
                + ("" if kept else ", from step 0: nothing was saved yet")
            )
        raise KeyboardInterrupt from error
    except OutputError as error:
        hint = f"Free some space; `{resume_command(out)}` goes on from the last checkpoint."
        raise OutputError(error.what, where=error.where, hint=hint) from error
    finally:
        threading.excepthook = hook
