"""`reeltag`: what can I type? Each command is a dataclass in a file of its own, found by name."""

import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper

from rich.table import Table

import reeltag
from reeltag.core.console import STDERR, STDOUT, discard
from reeltag.core.errors import ConfigError, ReeltagError

# Loaded only when used: `reeltag --help` need not wait for torch. Order: that of the work.
COMMANDS = {
    "demo": ("Demo", "from video files to found moments and a page of them, in minutes"),
    "synth": ("Synth", "write a synthetic corpus in YouTube-8M's format"),
    "synth-films": ("SynthFilms", "write video files with drawn scenes and known moments"),
    "extract": ("Extract", "turn own videos and sound files into data: features of each second"),
    "library": ("LibraryList", "list own videos: state, length, split, path, and why one failed"),
    "import": ("Import", "turn own features (npy, npz, HDF5, Parquet, ...) into data to train on"),
    "info": ("Info", "index a folder of TFRecords, say what is there and what is broken"),
    "encoders": ("Encoders", "list what turns pictures, sound and text into features"),
    "weak-labels": (
        "WeakLabels",
        "label whole videos by folders, tables, tags or what encoders know",
    ),
    "labels": ("Labels", "say which label implies which, and draw it"),
    "models": ("Models", "list the architectures, or show one with its fields and variants"),
    "augment": ("Augment", "make samples for rare labels, thin out frequent ones"),
    "centroids": ("Centroids", "fit centroids of frames by k-means, for kmeans_resnet"),
    "train": ("Train", "train a model on a folder of TFRecords, or go on with a run"),
    "tune": ("Tune", "search for good sizes of a model: a study of many trainings"),
    "average": ("Average", "write the mean of several runs' weights as a run"),
    "import-weights": (
        "ImportWeights",
        "make a run of a TensorFlow checkpoint of a model's authors",
    ),
    "predict": ("Predict", "score the videos, or every 5 seconds of them, into a Parquet file"),
    "soft-labels": (
        "SoftLabels",
        "write a teacher's predictions of the training data as soft labels",
    ),
    "blend": ("Blend", "make the predictions of several models one"),
    "evaluate": ("Evaluate", "score predictions against the labels, with bootstrap intervals"),
    "compare": (
        "Compare",
        "tell whether one way of training is better than another, and how surely",
    ),
    "moments": ("Moments", "list where in which video a class is, as a table or for other tools"),
    "ratings": ("TakeRatings", "take ratings that people made in another tool into a data set"),
    "tag": ("TagVideos", "name what is in video files, and when, with a run or an exported graph"),
    "similar": ("Similar", "list the moments that are most like one, whatever the classes"),
    "serve": ("Serve", "look at own videos in the browser, search, rate, and learn again"),
    "submit": ("Submit", "write or check a submission file of the 2018 or 2019 challenge"),
    "solve": ("Solve", "run a whole paper as a program, and show its tables next to the paper's"),
    "export": ("Export", "make one ONNX graph of a run or a blend, under a limit of bytes"),
    "push": ("Push", "put a run on the Hugging Face Hub, with a card of what was measured"),
    "report": ("Report", "draw predictions and scores as one HTML page"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; exit status 0 fine, 1 found something wrong, 2 could not do it."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Return the exit status of `reeltag *arguments`; errors are printed without traceback."""
    debug = "--debug" in arguments
    _show_any_text()
    try:
        status = _run([argument for argument in arguments if argument != "--debug"])
        if sys.stdout is not None:  # as after `>&-`
            sys.stdout.flush()
    except KeyboardInterrupt:
        STDERR.print("interrupted", highlight=False)
        return 130
    except BrokenPipeError:  # `reeltag ... | head`
        discard(sys.stdout)
        return 0
    except Exception as error:
        if debug:
            traceback.print_exc()
        _tell_error(_in_words(error))
        if isinstance(error, OSError):
            _drop_unwritten()
        return 2
    return status


def _show_any_text() -> None:
    """Let stdout take what its encoding cannot hold, as stderr does: it is shown as an escape."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _in_words(error: Exception) -> str:
    """Return the message of an error; an unforeseen one is a mistake of the program."""
    if isinstance(error, ReeltagError):
        return str(error)
    if isinstance(error, OSError):
        where = error.filename or "standard output, or a file"
        return f"{where}: cannot be read or written ({error.strerror or error})"
    if isinstance(error, MemoryError):
        return "there is not enough memory\n  Make the batch or the model smaller."
    found = f"{type(error).__name__}: {error}".rstrip(": ")
    return (
        f"this should not happen ({found})\n"
        "  Say --debug to see where, and please report it with the command."
    )


def _drop_unwritten() -> None:
    """Forget what stdout could not take, or the interpreter would fail on it again at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        discard(sys.stdout)


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        _print_help()
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(reeltag.__version__)
        return 0
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        raise ConfigError(f"there is no command {name!r}; there are {', '.join(COMMANDS)}")
    return _run_command(name, rest)


def module_of(name: str) -> str:
    """Return the module of a command."""
    return f"reeltag.cli.{'import_features' if name == 'import' else name.replace('-', '_')}"


def _run_command(name: str, arguments: list[str]) -> int:
    command = getattr(import_module(module_of(name)), COMMANDS[name][0])
    if hasattr(command, "parse"):  # commands whose flags depend on other flags
        parsed = command.parse(arguments)
    else:
        import tyro  # the list of commands need not wait for it

        parsed = tyro.cli(command, args=arguments, prog=f"reeltag {name}")
    status: int = parsed.run()
    return status


def _tell_error(text: str) -> None:
    STDERR.print("[bold red]error:[/] ", end="")
    STDERR.print(text, highlight=False, markup=False, soft_wrap=True)


def _print_help() -> None:
    STDOUT.print(
        f"[bold]reeltag[/] {reeltag.__version__}: what is in a video and when, "
        "learned from noisy labels\n\nusage: reeltag COMMAND ...   (reeltag COMMAND --help)\n",
        highlight=False,
    )
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, (_, words) in COMMANDS.items():
        table.add_row(f"  [bold]{name}[/]", words)
    STDOUT.print(table)
    STDOUT.print(
        "\nAnywhere: --json one object on stdout and nothing else there; --debug full tracebacks.",
        highlight=False,
    )
