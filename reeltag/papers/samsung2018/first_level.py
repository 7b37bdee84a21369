"""The first level of Samsung 2018 as data: which networks, how large, how they learn.

At full scale 95 networks on whole videos and 20 on frames (slides, "First level models"): what the
slides name is there, the rest of the 95 is a grid of ResNetLikes, since the authors give the ranges
(blocks, inner size, dropout) and not the values. Small: a dozen that one machine trains in minutes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from reeltag.augment.config import AugmentConfig
from reeltag.core.errors import ConfigError
from reeltag.layers.preprocessing import PreprocessingConfig
from reeltag.models import ModelConfig, kmeans_resnet, model_config
from reeltag.papers.common.recipe import SplitRecipe
from reeltag.training.config import LossConfig, Optimisation

STREAMS = PreprocessingConfig(normalise="streams")
MIXUP = AugmentConfig(mixup=0.4, mixup_per="sample", mixup_partner="previous")
SORTING = 10  # the slides' row that is in no ensemble
SOFT_RANKING = LossConfig(name="soft-ranking")


@dataclass(frozen=True, kw_only=True)
class FirstLevelModel:
    """A network of the first level.

    Attributes:
        name: of its steps.
        model: sizes, which name the family.
        recipe: how it learns; splits, fold, seed and precision are put in later.
        preprocessing: of the stored frames; None = as the family's authors.
        row: of the slides' table of results; 0 = none.
    """

    name: str
    model: ModelConfig
    recipe: SplitRecipe
    preprocessing: PreprocessingConfig | None = None
    row: int = 0

    @property
    def stacked(self) -> bool:
        """Whether the second level learns from it (slides: `Ens.`)."""
        return self.row != SORTING

    @property
    def centroids(self) -> int:
        """Centroids of frames that it needs, fitted first; 0 = none."""
        return self.model.num_clusters if isinstance(self.model, kmeans_resnet.Config) else 0


@dataclass(frozen=True, kw_only=True)
class FirstLevelRecipe:
    """How the networks learn, unless one has its own numbers."""

    batch_size: int = 512
    rate: float = 5e-3
    epochs: float = 10.0
    schedule: str = "constant"
    clip: str = "global"
    clip_norm: float = 10.0

    def recipe(self, *, rate: float = 0.0, epochs: float = 0.0, **more: Any) -> SplitRecipe:  # noqa: ANN401
        """Return a recipe; what is 0 is the same for all."""
        optim = Optimisation(
            learning_rate=rate or self.rate,
            schedule=self.schedule,  # type: ignore[arg-type]
            clip=self.clip,  # type: ignore[arg-type]
            clip_norm=self.clip_norm,
        )
        given = {"batch_size": self.batch_size} | more
        return SplitRecipe(epochs=epochs or self.epochs, optim=optim, **given)


# 76 of the authors' 113 configs have batch 512; 40 M examples, 10 passes
PUBLISHED = FirstLevelRecipe()
SMALL = FirstLevelRecipe(
    batch_size=256,
    rate=1.5e-3,
    epochs=8.0,
    schedule="one-cycle",
    clip="per-tensor",
    clip_norm=1.0,
)


def network(
    name: str,
    variant: str,
    sizes: Mapping[str, Any] | None = None,
    *,
    by: FirstLevelRecipe,
    row: int = 0,
    preprocessing: PreprocessingConfig | None = None,
    **recipe: Any,  # noqa: ANN401
) -> FirstLevelModel:
    """Return a network: a family or one of its variants, with some other sizes.

    Args:
        name: of its steps.
        variant: of `reeltag models`.
        sizes: fields of the model that differ from the variant's.
        by: how all learn.
        row: see `FirstLevelModel`.
        preprocessing: see `FirstLevelModel`.
        **recipe: what it has of its own, see `FirstLevelRecipe.recipe`.
    """
    return FirstLevelModel(
        name=name,
        model=model_config(variant, **(sizes or {})),
        recipe=by.recipe(**recipe),
        preprocessing=preprocessing,
        row=row,
    )


def _grid(by: FirstLevelRecipe) -> Iterator[FirstLevelModel]:
    """Yield 75 ResNetLikes, every second one with mixup (35 of the authors' 113 configs)."""
    blocks = ((1, 1), (2, 1), (1, 2), (2, 2), (4, 4))
    grid = product((512, 1024, 1536, 2048, 3072), blocks, (0.2, 0.4, 0.6))
    for number, (inner, (of_stream, together), dropout) in enumerate(grid):
        mixed = number % 2 == 1
        sizes: dict[str, Any] = {
            "inner": inner,
            "stream_blocks": of_stream,
            "concat_blocks": together,
        }
        name = f"resnet-{inner}-a{of_stream}-c{together}-d{round(10 * dropout)}"
        augment = MIXUP if mixed else AugmentConfig()
        yield network(
            name + "-mixup" * mixed,
            "resnet_like",
            sizes | {"dropout": dropout},
            by=by,
            augment=augment,
        )


def _one_stream(
    by: FirstLevelRecipe, inner: int, row_epochs: float = 0.0
) -> Iterator[FirstLevelModel]:
    """Yield the ResNetLikes that look, or listen, alone: rows 9 and 15."""
    for name, row in (("video", 9), ("audio", 15)):
        variant, sizes = f"resnet_like_{name}", {"inner": inner}
        yield network(f"{name}-only", variant, sizes, by=by, row=row, epochs=row_epochs)


def published_videos() -> Iterator[FirstLevelModel]:
    """Yield the 95 networks on whole videos."""
    by = PUBLISHED
    yield from _grid(by)
    yield from _one_stream(by, 2048)
    for inner in (512, 1024):
        for name in ("video", "audio"):
            variant, sizes = f"resnet_like_{name}", {"inner": inner}
            yield network(f"{name}-only-{inner}", variant, sizes, by=by)
    for number, share in enumerate((0.3, 0.5, 0.5, 0.7, 0.9)):
        few = {"features": share, "features_seed": number}
        yield network(f"features-{round(10 * share)}-{number}", "resnet_like", few, by=by)
    for epochs in (0.25, 0.5, 1.0):
        yield network(f"under-fitted-{epochs:g}", "resnet_like", by=by, epochs=epochs)
    yield network("resnet-soft-ranking", "resnet_like", by=by, loss=SOFT_RANKING)
    for variant in ("resnet_like_noise", "early_concat_fcn", "attentive_fcn", "cyclic_fcn"):
        yield network(variant.replace("_", "-"), variant, by=by)
    yield network("bottleneck-4", "bottleneck_4", by=by, row=16)


def published_frames() -> Iterator[FirstLevelModel]:
    """Yield the 20 networks on frames, and the one that was in no ensemble."""
    by = PUBLISHED
    slow: dict[str, Any] = {"batch_size": 128, "rate": 1e-3, "epochs": 5.0}
    for count in (1, 3, 5):
        row = 3 if count == 3 else 0
        yield network(f"linear-{count}", f"linear_combinations_{count}", by=by, row=row)
    for size in ("3x1024", "3x1024_no_dropout", "5x512", "4x768", "4x768_no_norm"):
        row = 5 if size == "3x1024" else 0
        name = "attention-" + size.replace("_", "-")
        yield network(name, f"attention_net_{size}", by=by, row=row, **slow)
    lstm = slow | {"rate": 1e-4}
    yield network("lstm-bi-attention", "lstm_bi_attention", by=by, row=6, **lstm)
    sizes: dict[str, Any] = {"hidden": (2048, 2048), "dropout": 0.3}
    yield network("lstm-bi-attention-2048", "lstm_bi_attention", sizes, by=by, **lstm)
    yield network("conv", "time_distributed_conv", by=by, row=7, **slow)
    sizes = {"channels": (1024, 1024), "other_channels": (256, 256)}
    yield network("conv-1024", "time_distributed_conv", sizes, by=by, **slow)
    yield network("bow-4096", "vlad_bow_4096", by=by, row=8)
    yield network("bow-1000", "vlad_bow_1000", by=by)
    sort = slow | {"batch_size": 32}
    yield network("sort", "time_distributed_sort", by=by, row=SORTING, **sort)
    yield network("lstm", "early_concat_lstm", by=by, row=11, **slow)
    yield network("lstm-dropout-3", "early_concat_lstm", {"dropout": 0.3}, by=by, **slow)
    yield network("max", "time_distributed_max", by=by, row=12, **slow)
    yield network("transformer", "samsung_transformer", by=by, row=13)
    no_dropout = "samsung_transformer_1x500_no_dropout"
    yield network("transformer-no-dropout", no_dropout, by=by)
    yield network("clusters", "kmeans_resnet", by=by, row=14)


def small_videos() -> Iterator[FirstLevelModel]:
    """Yield a dozen on whole videos: the paper's kinds, and ours that are strongest here.

    The strong ones are our early_concat_fcn_norm and Samsung's small nets (docs/results/models.md).
    """
    by, small = SMALL, {"inner": 512}
    fcn = "early_concat_fcn_norm"
    fcn_by: dict[str, Any] = {"by": by, "rate": 2e-3, "preprocessing": STREAMS}
    yield network("fcn", fcn, **fcn_by)
    more = {"input_dropout": 0.3, "dropout": 0.6}
    yield network("fcn-dropout", fcn, more, **fcn_by)
    joint, alike = PreprocessingConfig(), {"stream_scales": (16.0,)}
    yield network("fcn-joint", fcn, alike, by=by, rate=2e-3, epochs=7.0, preprocessing=joint)
    two = {"hidden": (1024, 1024), "dropout": 0.4}
    yield network("fcn-2-layers", fcn, two, **fcn_by, epochs=6.0)
    yield network("fcn-features", fcn, {"features": 0.6}, **fcn_by, epochs=7.0)
    yield network("fcn-under-fitted", fcn, **fcn_by, epochs=2.0)
    yield network("sub-net-b", "sub_net_b", by=by, epochs=6.0)
    yield network("sub-net-c", "sub_net_c", by=by, epochs=6.0)
    yield network("resnet", "resnet_like", small, by=by, epochs=7.0)
    yield network("resnet-mixup", "resnet_like", small, by=by, epochs=7.0, augment=MIXUP)
    yield from _one_stream(by, 512, row_epochs=5.0)
    four = {"hidden": 256, "halvings": 6}  # 256 / 2^6 = 4 units
    yield network("bottleneck-4", "bottleneck", four, by=by, row=16, epochs=5.0)


def small_frames() -> Iterator[FirstLevelModel]:
    """Yield one network on frames for each of the slides' rows, a quarter or half as wide."""
    by, half = SMALL, {"inner": 512}
    slow: dict[str, Any] = {"batch_size": 128, "rate": 1e-3, "epochs": 4.0}
    yield network("linear-3", "linear_combinations_3", half, by=by, row=3, **slow)
    sizes: dict[str, Any] = {"size": 512, "hidden": (1024, 1024)}
    yield network("attention", "attention_net_3x1024", sizes, by=by, row=5, **slow)
    sizes = {"hidden": (1024, 1024)}
    yield network("lstm-bi-attention", "lstm_bi_attention", sizes, by=by, row=6, **slow)
    sizes = {"channels": (512, 512), "other_channels": (128, 128)}
    yield network("conv", "time_distributed_conv", sizes, by=by, row=7, **slow)
    yield network("bow-1000", "vlad_bow_1000", half, by=by, row=8, **slow)
    yield network("sort", "time_distributed_sort", half, by=by, row=SORTING, **slow)
    sizes = {"cells": 256, "hidden": 1024}
    yield network("lstm", "early_concat_lstm", sizes, by=by, row=11, **slow)
    yield network("max", "time_distributed_max", half, by=by, row=12, **slow)
    yield network("transformer", "samsung_transformer", by=by, row=13, **slow)
    sizes = half | {"num_clusters": 1000}
    yield network("clusters", "kmeans_resnet", sizes, by=by, row=14, **slow)


def first_level_models(
    *, small: bool, frames: bool, num_streams: int, names: Sequence[str] = ()
) -> tuple[FirstLevelModel, ...]:
    """Return the members for some data.

    Args:
        small: a dozen, not 95.
        frames: whether the data have frames.
        num_streams: streams of the data; without two there are no video-only and audio-only.
        names: of the members wanted; () = all.

    Raises:
        ConfigError: a name is of none, or fewer than two are left for the second level.
    """
    found = [*(small_videos() if small else published_videos())]
    found += [*(small_frames() if small else published_frames())] if frames else []
    found = [one for one in found if num_streams >= 2 or not getattr(one.model, "streams", ())]
    known = [one.name for one in found]
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(
            f"there is no member {unknown[0]!r} for these data",
            where="members",
            hint=f"There are: {', '.join(known)}.",
        )
    chosen = tuple(one for one in found if not names or one.name in names)
    if sum(one.stacked for one in chosen) < 2:
        raise ConfigError(
            "the second level needs at least two members to train on", where="members"
        )
    return chosen
