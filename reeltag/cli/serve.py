"""`reeltag serve DATA`: look at own videos in the browser, search, rate, and learn again."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from reeltag.cli.demo_folder import DemoFolder
from reeltag.cli.run_argument import RunPath
from reeltag.core.errors import ConfigError
from reeltag.core.extras import check_extra


@dataclass(frozen=True, kw_only=True)
class Serve:
    """Show a data folder in the browser: library, time lines, search, rating, learning.

    It listens on this machine alone, unless --host says otherwise; then the address that is printed
    has a token, which a browser needs once. Nothing is sent anywhere. Ctrl-C ends it.
    """

    data: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """Folder of `reeltag extract`, `import` or `demo`, or of published records."""
    finder: Annotated[RunPath | None, tyro.conf.arg(name="run")] = None
    """Run, hf://user/name or WORK of `reeltag solve`, whose curves and moments are shown; None:
    that of the last time, or what the encoder knows."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 = all of this machine."""
    port: int = 8765
    """Port to listen on; 0 = any that is free."""
    host_name: tuple[str, ...] = ()
    """Further names that this machine is called by, as behind a proxy."""
    open_browser: Annotated[bool, tyro.conf.arg(name="open")] = False
    """Open it in the browser."""
    allow_upload: str = ""
    """Take videos of at most this size, as 2GB, into DATA/uploads; "" = none."""

    def run(self) -> int:
        """Serve until Ctrl-C; 0."""
        check_extra("serve")
        from reeltag.data.indexing.locations import writable_place
        from reeltag.server.project.finders import FINDERS_FILE
        from reeltag.server.serving import serve
        from reeltag.server.settings import ServerSettings, is_loopback, new_token
        from reeltag.tagger.run_files import find_run

        settings = ServerSettings(
            host=self.host,
            port=self.port,
            token="" if is_loopback(self.host) else new_token(),
            host_names=self.host_name,
            upload_bytes=_bytes(self.allow_upload) if self.allow_upload else 0,
        )
        data, demo = self.data, DemoFolder(self.data)
        run = None if self.finder is None else find_run(self.finder)
        if demo.is_one:
            data = demo.data
            is_first = not (writable_place(data) / "serve" / FINDERS_FILE).exists()
            if run is None and is_first and demo.is_solved:
                run = find_run(demo.work)
        serve(
            data,
            settings,
            run=run,
            open_browser=self.open_browser,
            debug="--debug" in sys.argv,
        )
        return 0


def _bytes(size: str) -> int:
    """Return a size as bytes; ConfigError where it is none."""
    from pydantic import ByteSize, TypeAdapter, ValidationError

    try:
        return int(TypeAdapter(ByteSize).validate_python(size))
    except ValidationError as error:
        hint = "Say it as 500MB or 2GB."
        raise ConfigError(f"--allow-upload {size}: this is no size", hint=hint) from error
