"""`reeltag import-weights`: a TensorFlow checkpoint of a model's authors, as a run."""

import dataclasses
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import tyro

from reeltag.cli.help import FLAGS, Help, print_help
from reeltag.cli.next_command import print_next_predict
from reeltag.core.console import STDERR, STDOUT, print_json
from reeltag.core.errors import ConfigError
from reeltag.tagger.import_config import ImportConfig

IMPORTING, MODEL_OPTIONS = "reeltag.tagger.importing", "reeltag.cli.model_options"
USAGE = """usage: reeltag import-weights FAMILY CKPT.npz --out RUN [options]

Make a run of a TensorFlow checkpoint: a folder that predict, export and train --init take.

FAMILY is a family, a variant or an import path of a model that knows the names of its variables in
the authors' code. CKPT.npz holds an array for each variable, under its name. With TensorFlow:

    reader = tf.train.load_checkpoint("model.ckpt-310000")
    names = reader.get_variable_to_shape_map()
    numpy.savez("CKPT.npz", **{name: reader.get_tensor(name) for name in names})

    reeltag import-weights nextvlad CKPT.npz --out RUN --classes vocabulary.csv

Sizes are read from the arrays; what they do not show is an option of the family:
`reeltag import-weights FAMILY --help`. Variables of the optimiser are not used."""


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """Make a run of a TensorFlow checkpoint."""

    out: Path
    """Run folder to make."""
    config: Annotated[ImportConfig, tyro.conf.arg(name="")] = field(default_factory=ImportConfig)
    json: bool = False
    """One JSON object on stdout, nothing else there."""


HELP = Help(
    name="import-weights",
    options=ImportOptions,
    sizes="they are those of the arrays",
    instead="Give --dims for the widths of the streams, --classes for the classes.",
    files="CKPT.npz --out RUN ",
)


@dataclass(frozen=True)
class ImportWeights:
    """A parsed `reeltag import-weights FAMILY CKPT.npz ...`."""

    options: Any
    checkpoint: Any

    @staticmethod
    def parse(arguments: Sequence[str]) -> "ImportWeights":
        """Read the flags: which there are depends on the family, their defaults on the arrays."""
        if not arguments:
            STDERR.print(USAGE, highlight=False, markup=False, soft_wrap=True)
            sys.exit(2)
        if arguments[0] in FLAGS:
            print_help(HELP, ImportOptions, USAGE, everything=True)
            sys.exit(0)
        model_options = import_module(MODEL_OPTIONS)
        name, *others = arguments
        if not set(FLAGS).isdisjoint(others):
            model_options.of_checkpoint(HELP, name, others, None)
        if name.startswith("-") or not others or others[0].startswith("-"):
            raise ConfigError(
                f"a family and an .npz file must come first, got {shlex.join(arguments[:2])}",
                hint="reeltag import-weights FAMILY CKPT.npz --out RUN",
            )
        checkpoint = import_module(IMPORTING).TensorflowArrays.open(
            Path(others[0]), averages="--averages" in others
        )
        return ImportWeights(
            model_options.of_checkpoint(HELP, name, others[1:], checkpoint), checkpoint
        )

    def run(self) -> int:
        """Write the run folder, and print what is in it and what was not used."""
        options = self.options
        tagger = import_module(IMPORTING).import_checkpoint(
            self.checkpoint,
            options.model,
            options.out,
            options.config,
            preprocessing=options.preprocessing,
        )
        parameters = sum(weight.numel() for weight in tagger.parameters())
        unused, streams = self.checkpoint.unused, dict(tagger.streams)
        if options.json:
            print_json(
                {
                    "run": str(options.out),
                    "family": tagger.family,
                    "parameters": parameters,
                    "num_classes": tagger.num_classes,
                    "streams": streams,
                    "model": dataclasses.asdict(tagger.config),
                    "arrays": len(self.checkpoint.weights),
                    "unused": list(unused),
                }
            )
            return 0
        shown = ", ".join(f"{name} ({width})" for name, width in streams.items())
        lines = [
            f"{options.out}: {tagger.family}, {parameters / 1e6:.1f} M parameters, "
            f"{tagger.num_classes:,} classes, streams {shown}",
            f"{len(self.checkpoint.weights)} arrays used, {len(unused)} not used"
            + (f": {', '.join(unused[:4])}{', ...' if len(unused) > 4 else ''}" if unused else ""),
        ]
        if options.config.classes is None:
            lines.append("classes have numbers for names: --classes vocabulary.csv names them")
        STDOUT.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)
        print_next_predict(options.out, None)
        return 0
