"""An S3 server of this machine, which answers each request some time after it came.

    python -m benchmarks.s3_server --latency 0.05        prints its address; ends with its input

It is moto's, with everything in memory.
"""

import argparse
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

Answer = Callable[[dict[str, Any], Any], Iterable[bytes]]
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "key",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@contextmanager
def s3_server(latency_s: float) -> Iterator[str]:
    """Yield the address of a server in a process of its own, which clients here find.

    Args:
        latency_s: seconds before the first byte of each answer.
    """
    command = [sys.executable, "-m", "benchmarks.s3_server", "--latency", str(latency_s)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            raise RuntimeError("the S3 server did not start")
        before = {name: os.environ.get(name) for name in (*ENVIRONMENT, "AWS_ENDPOINT_URL")}
        os.environ.update(ENVIRONMENT, AWS_ENDPOINT_URL=address)
        try:
            yield address
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value
            process.stdin.close()


def _delayed(answer: Answer, latency_s: float) -> Answer:
    def after_a_while(environment: dict[str, Any], start: Any) -> Iterable[bytes]:  # noqa: ANN401
        time.sleep(latency_s)
        return answer(environment, start)

    return after_a_while


def main() -> None:
    """Serve until the input ends."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS")
    latency_s: float = parser.parse_args().latency
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    WSGIRequestHandler.protocol_version = "HTTP/1.1"  # connections are kept, as by real stores
    app = _delayed(DomainDispatcherApplication(create_backend_app), latency_s)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
