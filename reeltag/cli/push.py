"""`reeltag push RUN user/name`: put a run on the Hugging Face Hub, where others can load it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from reeltag.cli.next_command import UNKNOWN_DATA, print_next
from reeltag.cli.predict import trained_splits
from reeltag.core.console import STDOUT, print_json
from reeltag.core.errors import ConfigError
from reeltag.core.extras import check_extra
from reeltag.core.files import check_new_path
from reeltag.data.dataset import Dataset
from reeltag.deploy.model_card import MeasuredScores
from reeltag.deploy.pushing import RunUpload, measure, prepare_upload, push
from reeltag.tagger.hub_runs import PREFIX


@dataclass(frozen=True, kw_only=True)
class Push:
    """Put a run on the Hugging Face Hub: weights, config, features, classes, thresholds, a card.

    The card is written from what was measured; with --predictions it has scores with intervals.
    Never sent: checkpoints, logs, data, folders of this machine. `reeltag predict hf://user/name`,
    `reeltag.load("hf://user/name")` and all that takes a run take it from there.
    """

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Run folder."""
    repo: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="USER/NAME")]
    """Repository on the hub; it is made if need be."""
    predictions: Annotated[Path | None, tyro.conf.arg(metavar="P")] = None
    """Predictions of RUN, as of its test split: they are scored for the card."""
    data: Path | None = None
    """Data that were predicted, with the truth."""
    license: str = ""
    """Licence of the weights, as the hub calls it (apache-2.0, cc-by-4.0, ...), for the card."""
    private: bool = False
    """Make a private repository."""
    keep_card: bool = False
    """Leave the card (README.md) that is there as it is."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Write what would be sent into this new folder, and send nothing."""
    json: bool = False
    """One JSON object on stdout, nothing else there."""

    def run(self) -> int:
        """Send it, or write it to --out; print where it is."""
        check_extra("hub")
        if self.out is not None:
            check_new_path(self.out)
        upload = prepare_upload(
            self.folder, self.repo, measured=self._measured(), licence=self.license
        )
        if self.out is not None:
            upload.write(self.out)
            self._print(upload, {"out": str(self.out)}, f"{self.out}: what would be sent")
            return 0
        done = push(upload, private=self.private, keep_card=self.keep_card)
        self._print(upload, {"url": done.url, "revision": done.revision}, done.url)
        return 0

    def _measured(self) -> MeasuredScores | None:
        """Return the scores of the predictions; None where none are given."""
        if self.predictions is None and self.data is None:
            return None
        if self.predictions is None or self.data is None:
            raise ConfigError("give --predictions P and --data DATA together")
        splits = trained_splits(self.folder, None, None, None)
        data = Dataset.open(self.data, splits=splits, quiet=self.json)
        return measure(self.folder, self.predictions, data)

    def _print(self, upload: RunUpload, where: dict[str, str], title: str) -> None:
        if self.json:
            print_json({"repo": upload.repo, **where, "files": upload.sizes})
            return
        lines = [f"{title} ({sum(upload.sizes.values()):,} bytes)"]
        lines += [f"  {name}" for name in sorted(upload.sizes)]
        STDOUT.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)
        if "url" in where:
            address = f"{PREFIX}{upload.repo}"
            print_next("predict", address, "--data", UNKNOWN_DATA, "--out", "P.parquet")
