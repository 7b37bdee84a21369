"""A stand-in of the hub's HTTP API, as far as huggingface_hub uses it to push and to load a run."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import yaml
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

WRITER, READER = "hf_writer", "hf_reader"  # tokens


@dataclass
class Repository:
    """Commits of a repository, oldest first: each the files that it has."""

    private: bool
    gated: bool = False
    commits: list[tuple[str, dict[str, bytes]]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)

    def add(self, files: dict[str, bytes], message: str = "") -> str:
        """Add a commit and return its name."""
        text = repr((len(self.commits), sorted(files.items())))
        name = hashlib.sha1(text.encode()).hexdigest()
        self.commits.append((name, files))
        self.messages.append(message)
        return name

    @property
    def files(self) -> dict[str, bytes]:
        """Those of the newest commit."""
        return self.commits[-1][1]

    def at(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """Return a commit by its name, a tag, or "main"; None where there is none."""
        name = self.tags.get(revision, revision)
        if name == "main":
            return self.commits[-1]
        return next((commit for commit in self.commits if commit[0] == name), None)


@dataclass(frozen=True)
class Asked:
    """A request that was made."""

    method: str
    path: str
    agent: str
    body: bytes


class Hub:
    """Repositories by name, what was asked, and the faults that are tried.

    Attributes:
        broken: status that is answered to everything; 0 = it works.
        address: of the server that answers.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.large: dict[str, bytes] = {}
        self.asked: list[Asked] = []
        self.broken, self.address = 0, ""

    def create(self, name: str, files: dict[str, bytes], *, private: bool = False) -> Repository:
        """Make a repository of files; of any names, as a stranger may."""
        repository = Repository(private)
        repository.add(files)
        self.repositories[name] = repository
        return repository

    def fetched(self) -> list[str]:
        """Return the names of the files whose content was downloaded, and forget the requests."""
        paths = [of.path for of in self.asked if of.method == "GET" and "/resolve/" in of.path]
        self.asked.clear()
        return sorted(path.rsplit("/", 1)[-1] for path in paths)


def create_stand_in(hub: Hub) -> FastAPI:
    """Return the server of a hub."""
    app = FastAPI()

    @app.middleware("http")
    async def note(request: Request, answer: Any) -> Response:
        body = await request.body()
        agent = request.headers.get("user-agent", "")
        hub.asked.append(Asked(request.method, request.url.path, agent, body))
        if hub.broken:
            return _refused(hub.broken, "", "out of order")
        answered: Response = await answer(request)
        return answered

    _add_repositories(app, hub)
    _add_commits(app, hub)
    _add_reading(app, hub)
    return app


def _refused(status: int, code: str, words: str) -> Response:
    headers = {"X-Error-Message": words} | ({"X-Error-Code": code} if code else {})
    return JSONResponse({"error": words}, status, headers)


def _token(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def _forbidden(request: Request) -> Response | None:
    """Return what who may not write is answered."""
    if _token(request) == WRITER:
        return None
    if _token(request) == READER:
        return _refused(403, "", "You have read-only access")
    return _refused(401, "", "Invalid credentials in Authorization header")


def _add_repositories(app: FastAPI, hub: Hub) -> None:
    @app.post("/api/repos/create")
    async def create(request: Request) -> Response:
        if refused := _forbidden(request):
            return refused
        asked = await request.json()
        name = f"{asked['organization']}/{asked['name']}"
        if name in hub.repositories:
            there = {"error": "You already created it", "url": f"{hub.address}/{name}"}
            return JSONResponse(there, 409)
        private = asked.get("private") or asked.get("visibility") == "private"
        hub.create(name, {".gitattributes": b""}, private=bool(private))
        return JSONResponse({"url": f"{hub.address}/{name}"})

    @app.post("/api/validate-yaml")
    async def validate(request: Request) -> Response:
        text = (await request.json())["content"]
        try:
            found = yaml.safe_load(text.split("---\n")[1])
            assert isinstance(found, dict) and isinstance(found["tags"], list)
        except (yaml.YAMLError, IndexError, KeyError, AssertionError) as error:
            return JSONResponse({"errors": [{"message": str(error)}]}, 400)
        return JSONResponse({"errors": [], "warnings": []})


def _add_commits(app: FastAPI, hub: Hub) -> None:
    @app.post("/api/models/{user}/{name}/preupload/{revision}")
    async def preupload(request: Request) -> Response:
        if refused := _forbidden(request):
            return refused
        files = (await request.json())["files"]
        modes = ["lfs" if of["path"].endswith(".safetensors") else "regular" for of in files]
        answers = [
            {"path": of["path"], "uploadMode": mode, "shouldIgnore": False}
            for of, mode in zip(files, modes, strict=True)
        ]
        return JSONResponse({"files": answers})

    @app.post("/{user}/{name}.git/info/lfs/objects/batch")
    async def batch(request: Request) -> Response:
        objects = (await request.json())["objects"]
        for of in objects:
            if of["oid"] not in hub.large:
                of["actions"] = {"upload": {"href": f"{hub.address}/large/{of['oid']}"}}
        return JSONResponse({"transfer": "basic", "objects": objects})

    @app.put("/large/{oid}")
    async def put(oid: str, request: Request) -> Response:
        body = await request.body()
        assert hashlib.sha256(body).hexdigest() == oid
        hub.large[oid] = body
        return Response()

    @app.post("/api/models/{user}/{name}/commit/{revision}")
    async def commit(user: str, name: str, request: Request) -> Response:
        if refused := _forbidden(request):
            return refused
        lines = [json.loads(line) for line in (await request.body()).splitlines()]
        repository = hub.repositories[f"{user}/{name}"]
        files = dict(repository.files)
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = hub.large[value["oid"]]
            else:
                assert line["key"] == "deletedFile"
                del files[value["path"]]
        oid = repository.add(files, lines[0]["value"]["summary"])
        return JSONResponse(
            {"commitUrl": f"{hub.address}/{user}/{name}/commit/{oid}", "commitOid": oid}
        )


def _add_reading(app: FastAPI, hub: Hub) -> None:
    def found(
        user: str, name: str, revision: str, request: Request
    ) -> tuple[Repository, str, dict[str, bytes]] | Response:
        repository = hub.repositories.get(f"{user}/{name}")
        known = _token(request) in (WRITER, READER)
        if repository is None or (repository.private and not known):
            status = 404 if known else 401  # as the hub, which does not say what there is
            return _refused(status, "RepoNotFound", "Repository not found")
        if repository.gated:
            return _refused(403, "GatedRepo", "Access to this model is restricted")
        commit = repository.at(revision)
        if commit is None:
            return _refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return repository, *commit

    def described(path: str, content: bytes) -> dict[str, Any]:
        of: dict[str, Any] = {"size": len(content), "oid": hashlib.sha1(content).hexdigest()}
        if path.endswith(".safetensors"):
            of["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
            of["lfs"] |= {"pointerSize": 130, "sha256": of["lfs"]["oid"]}
        return of

    @app.get("/api/models/{user}/{name}")
    @app.get("/api/models/{user}/{name}/revision/{revision}")
    def info(user: str, name: str, request: Request, revision: str = "main") -> Any:
        at = found(user, name, revision, request)
        if isinstance(at, Response):
            return at
        repository, commit, files = at
        siblings = [{"rfilename": path, **described(path, of)} for path, of in files.items()]
        about = {"id": f"{user}/{name}", "modelId": f"{user}/{name}", "sha": commit, "tags": []}
        return about | {"private": repository.private, "downloads": 0, "siblings": siblings}

    @app.get("/api/models/{user}/{name}/tree/{revision}")
    def tree(user: str, name: str, revision: str, request: Request) -> Any:
        at = found(user, name, revision, request)
        if isinstance(at, Response):
            return at
        return [{"type": "file", "path": of, **described(of, data)} for of, data in at[2].items()]

    @app.api_route("/{user}/{name}/resolve/{revision}/{path}", methods=["GET", "HEAD"])
    def resolve(user: str, name: str, revision: str, path: str, request: Request) -> Response:
        at = found(user, name, revision, request)
        if isinstance(at, Response):
            return at
        _, commit, files = at
        if path not in files:
            return _refused(404, "EntryNotFound", "Entry not found")
        of, content = described(path, files[path]), files[path]
        headers = {"X-Repo-Commit": commit, "ETag": f'"{of["oid"]}"'}
        if "lfs" in of:
            headers |= {"X-Linked-Etag": f'"{of["lfs"]["oid"]}"', "X-Linked-Size": str(of["size"])}
        return Response(content, headers=headers, media_type="application/octet-stream")
