"""Requests to the server, in this process: addresses, parameters, headers and bodies."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from benchmarks.fuzz.json_mutation import mutated_json, odd_value
from benchmarks.fuzz.mutation import mutated
from benchmarks.fuzz.target import Case, Outcome, Target, WrongError
from reeltag.cli import main
from reeltag.data.dataset import Dataset
from reeltag.data.splits import Splits
from reeltag.library.synth.drawn_films import FilmsConfig, write_films
from reeltag.models.frame_logistic import Config
from reeltag.server.app import create_app
from reeltag.server.project import curve_job
from reeltag.server.project.curves import curves_folder
from reeltag.server.project.project import Project
from reeltag.training.batches import training_items
from reeltag.training.config import Recipe
from reeltag.training.frame_regression import FrameRegressionConfig, fit_frame_regression

_ADDRESS = "http://127.0.0.1:8765"
_STARTS_WORK = ("/api/learn", "/api/curves", "/api/proxy", "/api/upload", "/api/jobs")
_ENDLESS = ("/api/events", "/api/jobs/events")
_ODD_TEXTS = (
    *(
        "",
        "x",
        "..",
        "../../etc/passwd",
        "%00",
        "\x00",
        "é" * 300,
        "a" * 3000,
        "-1",
        "1e999",
        "nan",
    ),
    *("0", "5", "true", "class 1", "'; DROP TABLE ratings; --", "<script>", "\u202e", "[]", "{}"),
)
_HEADERS = ("host", "origin", "range", "content-type", "accept", "cookie", "if-none-match")


class Api(Target):
    """The app of a small project, and requests that a page would not send."""

    name = "api"
    about = "requests to the server: addresses, parameters, headers, bodies"
    limit_s = 60.0
    limit_mb = 8192

    @classmethod
    def prepare(cls, shared: Path) -> None:
        """Make a project of four films with a finder and its curves."""
        films, data, run = shared / "films", shared / "data", shared / "run"
        config = FilmsConfig(number=4, min_seconds=6, max_seconds=8, ratings=0, seed=3)
        write_films(films, config, jobs=1, quiet=True)
        main.run(["extract", str(films), "--out", str(data), "--split", "60", "0", "40"])
        shutil.copy(films / "classes.csv", data)
        if (films / "labels.csv").exists():
            shutil.copy(films / "labels.csv", data)
        every = Dataset.open(data, quiet=True).with_splits(Splits(train="*", holdout=0.0))
        how = FrameRegressionConfig(steps=20)
        fit_frame_regression(training_items(every, Recipe()), run, Config(), Recipe(), how)
        curve_job.main([str(data), str(run), str(shared / "curves"), "--length", "1"])

    def __init__(self, shared: Path, own: Path) -> None:
        super().__init__(shared, own)
        data = own / "data"
        shutil.copytree(shared / "data", data)
        project = Project.open(data, run=shared / "run")
        if project.finders.current is not None:
            key = project.finders.current.key
            shutil.copytree(shared / "curves", curves_folder(project.folder, key))
        app = create_app(project)
        self._client = TestClient(
            app,
            base_url=_ADDRESS,
            headers={"X-Reeltag": "1"},
            raise_server_exceptions=False,
            follow_redirects=False,
        )
        self._client.__enter__()
        self._description: dict[str, Any] = app.openapi()
        self._calls = [
            (path, method, about)
            for path, methods in sorted(self._description["paths"].items())
            for method, about in sorted(methods.items())
            if path not in _ENDLESS and not (method != "get" and path.startswith(_STARTS_WORK))
        ]
        videos = Dataset.open(data, quiet=True).table["id"].to_pylist()
        self._known = [*sorted(videos), *_names_of(data / "classes.csv")]

    def make(self, rng: random.Random) -> Case:
        """Return a request as JSON: method, path, params, headers, body."""
        path, method, about = rng.choice(self._calls)
        given = {"method": method, "params": {}, "headers": {}, "body": ""}
        for parameter in about.get("parameters", []):
            if rng.random() < 0.25:
                continue
            value = self._value(rng, parameter.get("schema", {}))
            name = parameter["name"]
            if parameter["in"] == "path":
                path = path.replace("{" + name + "}", str(value))
                path = path.replace("{" + name + ":path}", str(value))
            elif parameter["in"] == "query":
                given["params"][name] = str(value)
        body = about.get("requestBody", {}).get("content", {}).get("application/json")
        if body:
            sound = json.dumps(self._value(rng, body.get("schema", {}))).encode()
            data = sound if rng.random() < 0.3 else mutated_json(rng, sound)
            given["body"] = data.decode("latin-1")
        if rng.random() < 0.1:
            given["headers"][rng.choice(_HEADERS)] = rng.choice(_ODD_TEXTS)
        if rng.random() < 0.05:
            given["method"] = rng.choice(("post", "put", "delete", "patch", "head", "options"))
        if rng.random() < 0.1:
            path = mutated(rng, path.encode()).decode("latin-1")
        return Case("request", json.dumps(given | {"path": path}).encode())

    def _value(self, rng: random.Random, schema: dict[str, Any], depth: int = 0) -> Any:  # noqa: ANN401
        """Return a value for a schema: sound, or odd."""
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[-1]
            schema = self._description["components"]["schemas"][name]
        if options := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
            return self._value(rng, rng.choice(options), depth)
        if rng.random() < 0.15 or depth > 4:
            return odd_value(rng, rng.choice(_ODD_TEXTS))
        if "enum" in schema:
            return rng.choice(schema["enum"])
        kind = schema.get("type")
        if kind == "object":
            return {
                name: self._value(rng, of, depth + 1)
                for name, of in schema.get("properties", {}).items()
                if rng.random() < 0.9
            }
        if kind == "array":
            of = schema.get("items", {})
            return [self._value(rng, of, depth + 1) for _ in range(rng.choice((0, 1, 2, 30)))]
        if kind in ("integer", "number"):
            return rng.choice((0, 1, 5, 2.5 if kind == "number" else 2, -1, 100, 10**12, 1e300))
        if kind == "boolean":
            return rng.random() < 0.5
        return rng.choice(self._known) if rng.random() < 0.6 else rng.choice(_ODD_TEXTS)

    def run(self, case: Case) -> Outcome:
        """Send it; a status of 500 and above is a failure, but for one that says it is too busy."""
        asked = json.loads(case.data)
        path = asked["path"] if asked["path"].startswith("/") else "/" + asked["path"]
        if path.split("?")[0].rstrip("/") in _ENDLESS or (
            asked["method"] != "get" and path.startswith(_STARTS_WORK)
        ):
            return "refused"
        headers = {"content-type": "application/json", **asked["headers"]}
        try:
            request = self._client.build_request(
                asked["method"].upper(),
                path,
                params=asked["params"] or None,
                content=asked["body"].encode("latin-1") or None,
                headers={name: value.encode() for name, value in headers.items()},
            )
        except Exception:  # no program can send that
            return "refused"
        response = self._client.send(request)
        if response.status_code >= 500 and response.status_code not in (503, 507):
            where = f"{asked['method']} {path.split('?')[0][:60]}"
            raise WrongError(f"status {response.status_code}: {where}", response.text[:2000])
        return "accepted" if response.status_code < 400 else "refused"


TARGET = Api


def _names_of(path: Path) -> list[str]:
    return [line.split(",", 1)[-1] for line in path.read_text(encoding="utf-8").splitlines()[1:]]
