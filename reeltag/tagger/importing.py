"""A run folder from a TensorFlow checkpoint of a model's authors, dumped to arrays.

Each array has the name of its variable. The sizes of the model are read from the shapes where they
show; the optimiser's variables are not used. docs/how-to/import-weights.md tells how to dump a
checkpoint.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

import reeltag
from reeltag.core.arrays import NOT_ARRAYS
from reeltag.core.errors import ConfigError, DataError, reason_of
from reeltag.core.files import PathLike, check_new_path, whole_folder, write_json
from reeltag.data.class_list import ClassList
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models import (
    FromTensorflow,
    ModelConfig,
    Shapes,
    families,
    family_of,
    is_weight,
    load_tensorflow,
    plain_name,
    sized,
)
from reeltag.models._tensorflow import AVERAGE
from reeltag.tagger.import_config import ImportConfig
from reeltag.tagger.loading import read_eigenvalues
from reeltag.tagger.tagger import Tagger

C = TypeVar("C", bound=ModelConfig)
IMPORTED = "imported"  # entry of config.json: the file that the weights are from
STREAMS = ("rgb", "audio")  # YouTube-8M's
_HINT = (
    "Dump the checkpoint as docs/how-to/import-weights.md shows: "
    "numpy.savez(FILE, **{name: array}) with an array for each variable."
)


@dataclass(frozen=True)
class TensorflowArrays:
    """The arrays of a checkpoint, by the authors' names.

    Attributes:
        path: the .npz file.
        weights: float32 arrays of the model, by names without `tower/` and `:0`.
        unused: names of all other arrays: the optimiser's and averages (or what they replace).
    """

    path: Path
    weights: Mapping[str, NDArray[np.float32]] = field(repr=False)
    unused: tuple[str, ...] = ()

    @classmethod
    def open(cls, path: PathLike, *, averages: bool = False) -> "TensorflowArrays":
        """Read an .npz file; nothing in it is run.

        Args:
            path: of the file.
            averages: take the ExponentialMovingAverage of a variable where there is one.

        Raises:
            DataError: the file cannot be read, is no .npz, holds pickled objects or what is no
                finite number, two arrays have one name, or there are no averages.
        """
        path = Path(path)
        with _opened(path) as arrays:
            taken = {name: plain_name(name) for name in arrays.files if is_weight(name)}
            if averages:
                means = [name for name in arrays.files if plain_name(name).endswith(AVERAGE)]
                if not means:
                    raise DataError(
                        f"has no averages: no array is called ...{AVERAGE}",
                        where=path,
                        hint="Leave --averages out: the weights of the last step are taken.",
                    )
                replaced = {plain_name(name).removesuffix(AVERAGE): name for name in means}
                taken = {name: own for name, own in taken.items() if own not in replaced}
                taken |= {name: own for own, name in replaced.items()}
            weights: dict[str, NDArray[np.float32]] = {}
            for name, own in taken.items():
                if own in weights:
                    raise DataError(f"has two arrays called {own!r}", where=path, hint=_HINT)
                weights[own] = _weight(arrays, name, path)
            unused = tuple(name for name in arrays.files if name not in taken)
        return cls(path, weights, unused)

    def sized(
        self, config: C, dims: tuple[int, ...] = (), *, defaults_may_differ: bool = False
    ) -> C:
        """Return the Config with the sizes that the arrays show; see `reeltag.models.sized`.

        Args:
            config: its fields count where the arrays show nothing.
            dims: width of each stream; (): those that the arrays show.
            defaults_may_differ: a field at its default is replaced by what the arrays show.

        Raises:
            ConfigError: a size that was given is another one, naming both.
        """
        shapes = Shapes({name: array.shape for name, array in self.weights.items()})
        try:
            return sized(config, shapes, dims, defaults_may_differ=defaults_may_differ)
        except ConfigError as error:
            raise ConfigError(error.what, where=self.path, hint=error.hint) from error


def import_checkpoint(
    checkpoint: TensorflowArrays,
    model: ModelConfig,
    out: PathLike,
    config: ImportConfig,
    *,
    preprocessing: PreprocessingConfig | None = None,
) -> Tagger:
    """Write a run folder with the weights of a checkpoint, and return its tagger in eval mode.

    Args:
        checkpoint: the arrays.
        model: names the family; its sizes are those of `TensorflowArrays.sized`.
        out: the run folder to make.
        config: names of classes and streams, and the eigenvalues of the PCA.
        preprocessing: what happens to stored frames first; None: as the family's authors.

    Raises:
        ConfigError: the family has no names of TensorFlow variables, or classes or streams do not
            fit the arrays.
        DataError: an array is missing, has no place in the model or another shape.
        OutputError: `out` exists, or cannot be written.
    """
    out = Path(out)
    check_new_path(out)
    check_importable(model)
    names = ClassList.open(config.classes, full=True).names if config.classes else ()
    if names:  # where the arrays do not show how many classes there are
        model = replace(model, num_classes=len(names))
    model = checkpoint.sized(model, config.dims)
    names = names or ClassList.numbered(model.num_classes).names
    if len(names) != model.num_classes:
        raise ConfigError(
            f"names {len(names)} classes; {checkpoint.path} has weights for {model.num_classes}",
            where=config.classes,
            hint="Give the class list that it was trained with.",
        )
    streams = _streams(config.streams, model.dims)
    tagger = Tagger(
        model,
        streams,
        names,
        preprocessing=preprocessing,
        eigenvalues=read_eigenvalues(config.eigenvalues),
    )
    hint = (
        "Give the options that it was trained with, see `reeltag import-weights "
        f"{tagger.reference} --help`, or the family that it is of."
    )
    try:
        load_tensorflow(tagger.model, checkpoint.weights, where=checkpoint.path)
    except DataError as error:
        raise DataError(error.what, where=error.where, hint=hint) from error
    described: dict[str, Any] = {"reeltag": reeltag.__version__, **tagger.describe()}
    described[IMPORTED] = {"file": str(checkpoint.path.resolve())}
    with whole_folder(out) as part:
        tagger.save_classes(part)
        tagger.save_weights(part)
        write_json(part / "config.json", described)
    return tagger.eval()


def check_trained(run: Path, config: Mapping[str, Any]) -> None:
    """Raise ConfigError where a run is an imported checkpoint, whose training is not known."""
    if IMPORTED in config:
        raise ConfigError(
            "is an imported checkpoint: it has no training to go on with or to repeat",
            where=run,
            hint=f"Train from its weights: reeltag train {config.get('family')} --init {run} ...",
        )


def check_importable(model: ModelConfig) -> None:
    """Raise ConfigError where a model knows no TensorFlow names; list the families that do."""
    if _knows_names(model):
        return
    known = [of.name for of in families() if _knows_names(of.tiny)]
    raise ConfigError(
        f"{family_of(model).name} knows no names of TensorFlow variables: no checkpoint fits it",
        hint=f"Families that know them: {', '.join(known)}. An own model has a method "
        "tensorflow_names(), see docs/how-to/import-weights.md.",
    )


def _knows_names(model: ModelConfig) -> bool:
    with torch.device("meta"):
        return isinstance(model.build(), FromTensorflow)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Yield the NpzFile at a path."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
            arrays = np.load(file, allow_pickle=False)
        except NOT_ARRAYS as error:
            reason = reason_of(error) if isinstance(error, OSError) else "it is of another format"
            raise DataError(f"cannot be read as .npz ({reason})", where=path, hint=_HINT) from error
        if not isinstance(arrays, np.lib.npyio.NpzFile):
            raise DataError("is one .npy array, not an .npz of many", where=path, hint=_HINT)
        yield arrays


def _weight(arrays: Any, name: str, path: Path) -> NDArray[np.float32]:  # noqa: ANN401
    """Return an array as float32."""
    try:
        stored = arrays[name]
    except NOT_ARRAYS as error:
        pickled = "Object arrays" in str(error)
        reason = "a pickled object, which is never loaded" if pickled else "damaged, or cut short?"
        raise DataError(f"array {name!r} is {reason}", where=path, hint=_HINT) from error
    if stored.dtype.kind != "f":
        raise DataError(
            f"array {name!r} is of type {stored.dtype}; weights are float16, float32 or float64",
            where=path,
            hint="Dump variables of other types with .astype(numpy.float32), and leave out what "
            "is no weight.",
        )
    with np.errstate(over="ignore"):
        weight: NDArray[np.float32] = stored.astype(np.float32)
    if not np.isfinite(weight).all():
        raise DataError(
            f"array {name!r} holds NaN, infinity or what float32 cannot hold",
            where=path,
            hint="Take a checkpoint of an earlier step.",
        )
    return weight


def _streams(names: tuple[str, ...], dims: tuple[int, ...]) -> list[tuple[str, int]]:
    if not names and len(dims) > len(STREAMS):
        raise ConfigError(f"{len(dims)} streams need names", where="--streams")
    names = names or STREAMS[: len(dims)]
    if len(names) != len(dims) or len(set(names)) != len(names):
        raise ConfigError(
            f"must be {len(dims)} names, all different, for widths {dims}; got {names}",
            where="--streams",
        )
    return list(zip(names, dims, strict=True))
