"""Everything that is written goes through `core`: its temporary names, its locks, its errors.

A file is opened for writing, or given to a library that writes it, only where its path comes from
`whole_file` and its like within the same function, or where a caller gives such a path (`GIVEN`).
Names, links, locks and temporary files are made by `core` alone, but for `OTHERS`.
"""

import ast
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import reeltag

ROOT = Path(reeltag.__file__).parent
MECHANISM = {f"core/{name}.py" for name in ("files", "locks", "parts", "utf8_names", "writing")}
MECHANISM |= {f"core/system/{name}.py" for name in ("file_locks", "folders", "open_files")}
SOURCES = {"whole_file", "whole_folder", "files_into", "new_part", "scratch_folder", "appending"}

# what only the mechanism does: name of a module, or of a method with its number of arguments
FORBIDDEN_MODULES = {"fcntl", "tempfile", "sqlite3"}
FORBIDDEN_CALLS = {
    *(f"os.{name}" for name in ("replace", "rename", "renames", "link", "symlink")),
    *(f"shutil.{name}" for name in ("rmtree", "move")),
}
FORBIDDEN_METHODS = {"rename": 1, "replace": 1, "touch": 0, "symlink_to": 1, "hardlink_to": 1}

# writers of libraries, and the place of the path among their arguments; -1: what is before the dot
WRITERS = {
    "arrow_sink": 0,
    "write_text": -1,
    "write_bytes": -1,
    "np.save": 0,
    "np.savez": 0,
    "np.savez_compressed": 0,
    "open_memmap": 0,
    "tofile": 0,
    "pq.write_table": 1,
    "pq.ParquetWriter": 0,
    "pa.ipc.new_file": 0,
    "pa.ipc.new_stream": 0,
    "safetensors.torch.save_file": 1,
    "save_file": 1,
    "torch.save": 1,
    "save_model": 0,
    "savefig": 0,
    "ir.save": 1,
    "onnx.save": 1,
    "faiss.write_index": 1,
    "shutil.copyfile": 1,
    "shutil.copy": 1,
    "shutil.copy2": 1,
    "shutil.copytree": 1,
}
# these write if their second argument (or mode=) says so
OPENERS = {"open": 0, ".open": -1, "pa.OSFile": 0, "av.open": 0, "ZipFile": 0, "File": 0}

_OTHER = ("dataclasses.", "os.")  # modules with functions of the same names

OTHERS = {
    "library/database/connection.py": "SQLite has its own locks and its own recovery",
    "server/api/upload.py:_reserve": "makes only what is not there (O_EXCL), for `put`",
    "training/tuning_journal.py:_Lock.acquire": "cuts half a line of Optuna's, under its lock",
}
# functions that are given a path of the mechanism
GIVEN = {
    "core/arrow_files.py:arrow_sink": "its callers are looked at",
    "core/sealed.py:sealed_writer": "a file of `whole_file`",
    "data/remote/cache.py:ShardCache._copy": "a file of `whole_file`",
    "data/annotation_tables.py:write_rows": "a file of `whole_file`",
    "data/synth/about.py:_write_table": "in the folder of `write_corpus`",
    "data/synth/about.py:describe_corpus": "the folder of `write_corpus`",
    "deploy/export.py:_write": "in the folder of `_part`",
    "deploy/moment_formats/names.py:write_text": "a file or folder of `export_moments`",
    "ensembling/ordering.py:_Buckets.__init__": "in the scratch folder of `align_predictions`",
    "ensembling/tree_rows.py:RowFiles.add": "in the folder of `train_trees`",
    "ensembling/trees.py:Trees.save": "in the folder of `train_trees` or of a blend",
    "library/similarity/candidates.py:CandidateIndex._built": "a name of a file of `whole_file`",
    "library/synth/drawn_films.py:_write_tables": "the folder of `write_films`",
    "library/synth/film_encoding.py:encode_film": "in the folder of `write_films`",
    "server/api/upload.py:_Form._on_headers": "in the folder of `upload`",
    "server/project/export.py:_zipped": "in the scratch folder of `exported`",
    "training/callbacks.py:CheckpointFile.save_checkpoint": "the file of `Checkpoint.save`",
    "predictions/sealed_parquet.py:_seal": "the file of `sealed_parquet_writer`",
    "predictions/sealed_parquet.py:sealed_parquet_writer": "a file of `whole_file`",
    "server/project/logit_file.py:LogitWriter.__init__": "in a folder of `whole_folder`",
    "tagger/onnx.py:stamp": "in the folder of `_part`",
}


def found_in(source: str) -> Iterator[tuple[str, str]]:
    """Yield function and call of each writer in a module that does not use the mechanism."""
    tree = ast.parse(source)
    for scope, body in _functions(tree, ""):
        safe = _safe_names(body)
        for node in body:
            if isinstance(node, ast.Call) and (what := _problem(node, safe)):
                yield scope, what
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in (of.name.split(".")[0] for of in node.names):
                if name in FORBIDDEN_MODULES:
                    yield "", f"import {name}"
        elif isinstance(node, ast.ImportFrom) and node.module in FORBIDDEN_MODULES:
            yield "", f"import {node.module}"


def _functions(tree: ast.AST, name: str) -> Iterator[tuple[str, list[ast.AST]]]:
    """Yield qualified name and nodes of each function, those of inner functions apart."""
    own, inner, waiting = list[ast.AST](), list[ast.AST](), [*ast.iter_child_nodes(tree)]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner.append(node)
        else:
            own.append(node)
            waiting = [*ast.iter_child_nodes(node), *waiting]
    yield name, own
    for node in inner:
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        yield from _functions(node, f"{name}.{node.name}".lstrip("."))


def _safe_names(body: list[ast.AST]) -> set[str]:
    """Return the names in a function that hold paths of the mechanism, or what is opened there."""
    safe = {"sys"}
    for node in body:
        if isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                if isinstance(item.optional_vars, ast.Name) and _is_safe(item.context_expr, safe):
                    safe.add(item.optional_vars.id)
        elif isinstance(node, ast.Assign) and _is_safe(node.value, safe):
            safe |= {of.id for of in node.targets if isinstance(of, ast.Name)}
    return safe


def _is_safe(value: ast.expr, safe: set[str]) -> bool:
    if isinstance(value, ast.Call):
        name = _dotted(value.func)
        if name.split(".")[-1] in SOURCES | {"BytesIO", "StringIO", "BufferOutputStream"}:
            return True
        if name.endswith("enter_context") and value.args:
            return _is_safe(value.args[0], safe)
        if name in ("Path", "str") or name in OPENERS or name in WRITERS:
            return bool(value.args) and _is_safe(value.args[0], safe)
        return isinstance(value.func, ast.Attribute) and _is_safe(value.func.value, safe)
    if isinstance(value, ast.BinOp):
        return _is_safe(value.left, safe)
    if isinstance(value, ast.Attribute):
        return _is_safe(value.value, safe)
    return isinstance(value, ast.Name) and value.id in safe


def _problem(call: ast.Call, safe: set[str]) -> str:
    """Return the text of a call that writes elsewhere; "" for another one."""
    name, text = _dotted(call.func), ast.unparse(call)
    last = name.rsplit(".", 1)[-1]
    is_method = isinstance(call.func, ast.Attribute)
    if name in FORBIDDEN_CALLS:
        return text
    if name == "os.open" and not any(word in text for word in ("os.devnull", "os.O_RDONLY")):
        return text
    if name == "open_file" and len(call.args) > 1 and "os.O_RDONLY" not in text:
        return text
    if is_method and FORBIDDEN_METHODS.get(last) == len(call.args) and not name.startswith(_OTHER):
        return text
    place = next((WRITERS[of] for of in (name, last) if of in WRITERS), None)
    opener = next((of for of in (name, last, f".{last}") if of in OPENERS), None)
    if opener == "open" and is_method:
        opener = ".open"
    if place is None and opener is not None and name not in ("os.open", "webbrowser.open"):
        place = OPENERS[opener]
        if not _writes(call, place):
            return ""
    if place is None or (place < 0 and not is_method):
        return ""
    if place >= len(call.args):
        return text
    path = call.func.value if place < 0 else call.args[place]  # type: ignore[attr-defined]
    return "" if _is_safe(path, safe) else text


def _writes(call: ast.Call, place: int) -> bool:
    given = [of.value for of in call.keywords if of.arg == "mode"] + call.args[place + 1 :][:1]
    mode = given[0] if given else None
    if isinstance(mode, ast.Constant) and isinstance(mode.value, str):
        return bool(set(mode.value) & set("wax+"))
    return mode is not None and place >= 0


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}".lstrip(".")
    return node.id if isinstance(node, ast.Name) else ""


def test_everything_is_written_by_the_mechanism() -> None:
    problems, used = list[str](), set[str]()
    for path in sorted(ROOT.rglob("*.py")):
        module = path.relative_to(ROOT).as_posix()
        if module in MECHANISM or "/migrations/" in module:
            continue
        for function, what in found_in(path.read_text()):
            where = f"{module}:{function}" if function else module
            if where in OTHERS or where in GIVEN:
                used.add(where)
            else:
                problems.append(f"{where}: {what}")
    assert not problems
    assert used == {*OTHERS, *GIVEN}, "these write nothing any more: remove them from the lists"


@pytest.mark.parametrize(
    "line",
    [
        'path.open("w")',
        'path.open("ab")',
        'open(path, "w")',
        "open_file(path, os.O_WRONLY)",
        'open(path, mode="x")',
        'path.write_text("a")',
        "np.save(path, array)",
        "np.save(self.folder / name, array)",
        "array.tofile(path)",
        "pq.write_table(table, path)",
        "torch.save(state, path)",
        "safetensors.torch.save_file(tensors, str(path))",
        "booster.save_model(path)",
        'av.open(str(path), "w")',
        'pa.OSFile(str(path), "wb")',
        'zipfile.ZipFile(path, "w")',
        'h5py.File(path, "w")',
        "os.replace(path, other)",
        "path.replace(other)",
        "path.rename(other)",
        "path.touch()",
        "shutil.rmtree(path)",
        "import tempfile",
        "from fcntl import flock",
    ],
)
def test_writer_outside_the_mechanism_is_found(line: str) -> None:
    assert [*found_in(f"def write(path):\n    {line}\n")]


@pytest.mark.parametrize(
    "body",
    [
        'with whole_file(path) as part, part.open("w") as file:\n    file.write("a")',
        "with whole_file(path) as part:\n    np.save(part, array)",
        'with whole_folder(path) as part:\n    (part / "a").write_text("a")',
        'with whole_folder(path) as part:\n    inner = part / "a"\n    inner.write_bytes(b"a")',
        "part = stack.enter_context(whole_file(path))\nnp.save(part, array)",
        "buffer = io.BytesIO()\nnp.save(buffer, array)",
        "path.open()",
        'path.open("rb")',
        'text.replace("a", "b")',
        "write_text(path, text)",
    ],
)
def test_writer_of_the_mechanism_is_none_to_be_found(body: str) -> None:
    assert not [*found_in(f"def write(path):\n{textwrap.indent(body, '    ')}\n")]
