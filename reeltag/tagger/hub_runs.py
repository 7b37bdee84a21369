"""Runs on the Hugging Face Hub: `hf://user/name[@revision]` wherever a run folder is named.

What is downloaded is the work of strangers. Only files with the names of a run's are fetched, none
of which can hold code; sizes are looked at before; and a run that names a Python module, for its
model or its encoders, is refused unless that module is imported already.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from reeltag.core.console import say
from reeltag.core.errors import ConfigError, DataError, HubUnreachableError
from reeltag.core.files import PathLike
from reeltag.core.hub import hub_client, reaching_hub
from reeltag.data.features import FEATURES_FILE, Features
from reeltag.encoders import imported_module
from reeltag.tagger.run_files import find_run, read_config
from reeltag.tagger.thresholds import THRESHOLDS_FILE

PREFIX, CARD, WEIGHTS = "hf://", "README.md", "model.safetensors"
NEEDED = ("config.json", "classes.csv", WEIGHTS)
RUN_FILES = (*NEEDED, FEATURES_FILE, THRESHOLDS_FILE, "metrics.json")
MOST_BYTES = 1 << 26  # of each file but the weights

_ADDRESS = re.compile(r"hf:/{1,2}(?P<repo>[^/@\s]+/[^/@\s]+)(?:@(?P<revision>[^@\s]+?))?/?")
_SNAPSHOT = re.compile(r"/models--(?P<user>.+?)--(?P<name>.+)/snapshots/(?P<commit>[0-9a-f]+)$")


@dataclass(frozen=True)
class HubAddress:
    """Where a run is on the hub; `str` is what it is called here.

    >>> HubAddress.parse("hf://user/birds@v1")
    HubAddress(repo='user/birds', revision='v1')
    """

    repo: str
    revision: str | None = None

    @classmethod
    def parse(cls, address: PathLike) -> Self | None:
        """Return the address; None for a path, ConfigError for hf:// and what is no address."""
        text = address.as_posix() if isinstance(address, Path) else address
        if not text.startswith("hf:/"):
            return None
        found = _ADDRESS.fullmatch(text)  # (Path makes one of two slashes)
        if found is None:
            hint = "It is hf://user/name, or hf://user/name@revision."
            raise ConfigError("is no address of a run on the hub", where=text, hint=hint)
        return cls(found["repo"], found["revision"])

    def __str__(self) -> str:
        """Return it as it is typed."""
        return f"{PREFIX}{self.repo}" + (f"@{self.revision}" if self.revision else "")


def local_run(run: PathLike) -> Path:
    """Return the path of a run; one on the hub is downloaded, unless the cache has it.

    The folder of a downloaded run is in the cache of the hub ($HF_HOME), under the name of its
    commit; nothing is written into it.

    Args:
        run: path, see `find_run`, or `hf://user/name[@revision]`.

    Raises:
        ConfigError: the address cannot be one, or the path is a WORK of several runs.
        MissingPackageError: the client of the hub is not installed.
        DataError: there is no such run, or it names a module of Python.
        HubUnreachableError: the hub cannot be reached, and the cache has no copy.
    """
    address = HubAddress.parse(run)
    return find_run(run) if address is None else _downloaded(address)


def hub_address(folder: Path) -> HubAddress | None:
    """Return where a folder was downloaded from, with its commit; None for any other folder."""
    found = _SNAPSHOT.search(folder.as_posix())
    return HubAddress(f"{found['user']}/{found['name']}", found["commit"]) if found else None


def _downloaded(address: HubAddress) -> Path:
    """Return the folder in the cache, brought up to date where the hub can be reached."""
    offline = None
    try:
        _check_files(address, _sizes(address))
    except HubUnreachableError as error:
        offline = error
    folder = _snapshot(address, offline)
    if offline is not None:
        say(f"{address}: {offline.what}; its copy in the cache is used, {folder.name}")
    _check_modules(address, folder)
    return folder


def _sizes(address: HubAddress) -> dict[str, int]:
    """Return the bytes of each file of the repository."""
    client = hub_client()
    with reaching_hub(str(address), DataError):
        info = client.model_info(address.repo, revision=address.revision, files_metadata=True)
    return {file.rfilename: file.size or 0 for file in info.siblings or ()}


def _check_files(address: HubAddress, sizes: dict[str, int]) -> None:
    """Raise DataError where a repository holds no run, or a file that is absurdly large."""
    missing = [name for name in NEEDED if name not in sizes]
    if missing:
        hint = "A run gets there by `reeltag push RUN user/name`."
        raise DataError(f"is no run: it has no {missing[0]}", where=address, hint=hint)
    for name in RUN_FILES:
        if name != WEIGHTS and sizes.get(name, 0) > MOST_BYTES:
            what = f"its {name} has {sizes[name]:,} bytes; at most {MOST_BYTES:,} are read"
            raise DataError(what, where=address)


def _snapshot(address: HubAddress, offline: HubUnreachableError | None) -> Path:
    """Return the folder that the client keeps the files in; downloaded, unless `offline`."""
    client = hub_client()
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        with reaching_hub(str(address), DataError):
            folder = client.snapshot_download(
                address.repo,
                revision=address.revision,
                allow_patterns=list(RUN_FILES),
                local_files_only=offline is not None,
            )
    except LocalEntryNotFoundError as error:
        reason = offline.what if offline else "the hub cannot be reached"
        hint = offline.hint if offline else "Connect this machine to the internet."
        raise HubUnreachableError(
            f"{reason}, and there is no copy of it in the cache",
            where=address,
            hint=f"{hint} Or give the folder of a run: a copy from a machine that has it.",
        ) from error
    return Path(folder)


def _check_modules(address: HubAddress, folder: Path) -> None:
    """Raise DataError where files name a module that would be imported only for their sake."""
    family, described = read_config(folder).get("family"), Features.find(folder)
    modules = [family.partition(":")[0]] if isinstance(family, str) and ":" in family else []
    for stream in described.streams if described else ():
        modules += filter(None, [imported_module(stream.encoder.name)])
    for module in modules:
        if module not in sys.modules:
            raise DataError(
                f"names the Python module {module}, which is not imported for a run from elsewhere",
                where=address,
                hint="Where you trust that module: import it before `reeltag.load`, install a "
                "package that announces it by an entry point, or give the folder itself, "
                f"{folder}",
            )
