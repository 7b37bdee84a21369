"""Put a run on the Hugging Face Hub: its files and a model card, in one commit.

What is sent is what `RUN_FILES` names and the card; never checkpoints, logs or data. Absolute paths
in config.json and metrics.json are cut down to their last name.
"""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from reeltag.core.errors import ConfigError, DataError, OutputError, reason_of
from reeltag.core.extras import check_extra
from reeltag.core.fields import parse_json
from reeltag.core.files import PathLike, whole_folder
from reeltag.core.hub import hub_client, reaching_hub
from reeltag.core.text import json_text
from reeltag.data.dataset import Dataset
from reeltag.data.synth.about import read_marker
from reeltag.deploy.model_card import CardSource, MeasuredScores, model_card, shared_config
from reeltag.evaluation.config import EvaluationConfig
from reeltag.evaluation.scores import evaluate
from reeltag.inference.predict import weights_digest
from reeltag.predictions.file import open_predictions
from reeltag.tagger.hub_runs import CARD, PREFIX, RUN_FILES, local_run
from reeltag.tagger.run_files import read_config
from reeltag.tagger.tagger import Tagger

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_SHORTENED = ("config.json", "metrics.json")  # hold paths of the machine that trained


@dataclass(frozen=True, kw_only=True, eq=False)
class RunUpload:
    """What is sent: of each file its bytes, or where they are."""

    repo: str
    files: Mapping[str, Path | bytes]

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each file."""
        return {
            name: len(of) if isinstance(of, bytes) else of.stat().st_size
            for name, of in self.files.items()
        }

    def write(self, folder: PathLike) -> None:
        """Write what would be sent into a new folder; OutputError where that cannot be."""
        with whole_folder(Path(folder)) as part:
            for name, of in self.files.items():
                (part / name).write_bytes(of if isinstance(of, bytes) else of.read_bytes())


@dataclass(frozen=True, kw_only=True)
class PushedRun:
    """Where a run is on the hub, and the commit that put it there."""

    url: str
    revision: str


def prepare_upload(
    run: PathLike,
    repo: str,
    *,
    measured: MeasuredScores | None = None,
    licence: str = "",
) -> RunUpload:
    """Return what a push of a run sends: its files, and a card of what was measured.

    Args:
        run: folder of a finished run.
        repo: user/name.
        measured: of `measure`, for the card; None: the card says that there is none.
        licence: of the weights, as the hub calls it, such as "apache-2.0"; "" = not stated.

    Raises:
        ConfigError: `repo` cannot be the name of a repository.
        MissingPackageError: the client of the hub is not installed.
        DataError: `run` is not a finished run folder.
    """
    check_extra("hub")
    run = local_run(run)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo, re.ASCII):
        hint = "It is called user/name."
        raise ConfigError("is no name of a repository", where=repo, hint=hint)
    tagger = Tagger.load(run)
    config = shared_config(read_config(run))
    metrics = shared_config(_read_metrics(run / "metrics.json"))
    root = run / str(read_config(run).get("data", {}).get("root", ""))
    source = CardSource(
        repo=repo,
        tagger=tagger,
        config=config,
        metrics=metrics,
        measured=measured,
        synthetic=root != run and read_marker(root) is not None,
        licence=licence,
    )
    files: dict[str, Path | bytes] = {CARD: model_card(source).encode()}
    shortened = dict(zip(_SHORTENED, (config, metrics), strict=True))
    for name in RUN_FILES:
        if (run / name).is_file():
            text = json_text(shortened[name], indent=2) + "\n" if name in shortened else ""
            files[name] = text.encode() if text else run / name
    return RunUpload(repo=repo, files=files)


def measure(run: PathLike, predictions: PathLike, data: Dataset) -> MeasuredScores:
    """Return the scores of predictions of a run, with intervals, for its card.

    Args:
        run: folder of the run.
        predictions: file of `reeltag predict`, made with the weights that the run has now.
        data: that were predicted.

    Raises:
        ConfigError: the predictions were made with other weights.
        DataError: the run, the file or the data cannot be read, or do not fit each other.
    """
    info, run = open_predictions(Path(predictions)).info, local_run(run)
    if info.weights != weights_digest(Tagger.load(run)):
        raise ConfigError(
            f"was not predicted with the weights that {run} has now",
            where=predictions,
            hint=f"Predict again: reeltag predict {run} --data {data.location} --out P.parquet",
        )
    config = EvaluationConfig()
    return MeasuredScores(
        data=PurePath(data.whole_location).name,
        split=info.split,
        synthetic=read_marker(data.path) is not None,
        top_k=config.top_k,
        scores=evaluate(predictions, data, config),
    )


def push(upload: RunUpload, *, private: bool = False, keep_card: bool = False) -> PushedRun:
    """Send a run to the hub, whose repository is made if need be; all of it in one commit.

    Files of an earlier run that this one has not, such as thresholds.json, are removed there.

    Args:
        upload: of `prepare_upload`.
        private: make a private repository.
        keep_card: leave the card that is there as it is.

    Raises:
        ConfigError: no token is known, or the repository is public and should be private.
        OutputError: the hub refuses it.
        HubUnreachableError: the hub cannot be reached.
    """
    client = hub_client()
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, get_token

    address = f"{PREFIX}{upload.repo}"
    if get_token() is None:
        raise ConfigError(
            "the hub takes runs only from who has logged in, and no token is known here",
            where=address,
            hint="Log in with `hf auth login`, or set HF_TOKEN to a token that may write.",
        )
    with reaching_hub(address, OutputError), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Use 'content=")  # how the client calls its HTTP library
        client.create_repo(upload.repo, private=private or None, exist_ok=True)
        there = _files_there(client, upload.repo, private=private)
        sent = {n: of for n, of in upload.files.items() if not (n == CARD in there and keep_card)}
        add = [CommitOperationAdd(n, of) for n, of in sent.items()]
        gone = [n for n in RUN_FILES if n in there and n not in sent]
        commit = client.create_commit(
            upload.repo,
            [*add, *(CommitOperationDelete(name) for name in gone)],
            commit_message="Run of reeltag",
        )
    return PushedRun(url=f"{client.endpoint}/{upload.repo}", revision=commit.oid)


def _files_there(client: "HfApi", repo: str, *, private: bool) -> set[str]:
    """Return the names of a repository's files; ConfigError where it is more public than wanted."""
    info = client.model_info(repo)
    if private and info.private is False:
        raise ConfigError(
            "is a public repository already, and nothing was sent",
            where=f"{PREFIX}{repo}",
            hint="Make it private in its settings, or leave out --private.",
        )
    return {file.rfilename for file in info.siblings or ()}


def _read_metrics(path: Path) -> dict[str, Any]:
    """Return metrics.json, {} where the run has none; DataError where it is damaged."""
    if not path.is_file():
        return {}
    try:
        found = parse_json(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it must hold an object")
    except (OSError, ValueError) as error:
        hint = "Remove it: the card then says that nothing was measured."
        raise DataError(f"cannot be read ({reason_of(error)})", where=path, hint=hint) from error
    return found
