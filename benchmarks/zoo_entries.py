"""Who runs in which race of the zoo: the model, its sizes here, its learning rate.

The learning rate is one for each kind of model and was not tuned for an entry; where it is another
than its kind's, a comment gives the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A model with its sizes, and the flags that it has in each race."""

    model: str
    races: Mapping[str, str]
    centroids: int = 0  # fitted first, with `reeltag centroids`


def _entry(model: str, rate: float, races: str, centroids: int = 0) -> Entry:
    """Return an entry with one learning rate in all its races."""
    rates = dict.fromkeys(races.split(), f"--learning-rate {rate}")
    return Entry(model=model, races=rates, centroids=centroids)


VIDEOS, FRAMES = "yt8m", "audioset mosaics"
HALF = "--model.inner 512"  # of what most of Samsung's networks have, or a quarter
ENTRIES = {
    "logistic": _entry("logistic", 0.03, "yt8m audioset mosaics"),
    "moe_2": _entry("moe_2", 0.03, "yt8m audioset mosaics"),
    "moe_16": _entry("moe_16", 0.03, VIDEOS),
    "resnet_like_1024": _entry("resnet_like_1024", 0.0015, "yt8m audioset mosaics"),
    "resnet_like_video": _entry("resnet_like_video --model.inner 1024", 0.0015, VIDEOS),
    "resnet_like_audio": _entry("resnet_like_audio --model.inner 1024", 0.0015, VIDEOS),
    "resnet_like_noise": _entry("resnet_like_noise --model.inner 1024", 0.0015, VIDEOS),
    "resnet_like_gated": _entry("resnet_like_gated --model.inner 1024", 0.0015, VIDEOS),
    "early_concat_fcn": _entry("early_concat_fcn", 0.0015, VIDEOS),
    "early_concat_fcn_norm": _entry(
        "early_concat_fcn_norm --preprocessing.normalise streams", 0.002, VIDEOS
    ),
    "bottleneck_256": _entry("bottleneck_256", 0.0005, VIDEOS),
    "bottleneck_16": _entry("bottleneck_16", 0.0005, VIDEOS),
    "bottleneck_4": _entry("bottleneck_4", 0.0005, VIDEOS),
    "attentive_fcn": _entry("attentive_fcn_4096", 0.0005, VIDEOS),
    "cyclic_fcn": _entry("cyclic_fcn", 0.0005, VIDEOS),
    **{f"sub_net_{net}": _entry(f"sub_net_{net}", 0.0015, VIDEOS) for net in "abcdf"},
    "dbof": _entry("dbof_k2048_h512", 0.001, FRAMES),
    "dbof_gcn": _entry("dbof_gcn --model.num-clusters 2048 --model.hidden 512", 0.001, FRAMES),
    "netvlad": _entry("netvlad --model.num-clusters 64 --model.hidden 512", 0.001, FRAMES),
    "netvlad_rvlad": _entry(
        "netvlad_rvlad_k256_h1024 --model.num-clusters 64 --model.hidden 512", 0.001, FRAMES
    ),
    "netvlad_vlagd": _entry(
        "netvlad_vlagd_k256_h1024 --model.num-clusters 64 --model.hidden 512", 0.001, FRAMES
    ),
    "netfv": _entry("netfv_k32_h512", 0.001, FRAMES),
    "soft_dbow": _entry("soft_dbow_k1024_h512", 0.001, FRAMES),
    "soft_dbow_gated": _entry(
        "soft_dbow_gated_k4096_h1024 --model.num-clusters 1024 --model.hidden 512", 0.001, FRAMES
    ),
    "non_local_netvlad": _entry(
        "non_local_netvlad --model.num-clusters 64 --model.hidden 512", 0.001, FRAMES
    ),
    "lstm": _entry("lstm_2x1024 --model.cells 256", 0.005, FRAMES),
    "lstm_willow": _entry("lstm_willow_2x1024 --model.cells 256", 0.005, FRAMES),
    "gru": _entry("gru_2x1200 --model.cells 256", 0.005, FRAMES),
    "bilstm": _entry("bilstm --model.cells 256", 0.005, FRAMES),
    "bigru": _entry("bigru --model.cells 256", 0.005, FRAMES),
    "early_concat_lstm": _entry(
        "early_concat_lstm --model.cells 256 --model.hidden 1024", 0.001, FRAMES
    ),
    "lstm_bi_attention": _entry("lstm_bi_attention --model.hidden 1024 1024", 0.001, FRAMES),
    "nextvlad": _entry("nextvlad --model.num-clusters 64 --model.hidden 1024", 0.001, FRAMES),
    "mix_nextvlad": _entry(
        "mix_nextvlad --model.num-clusters 48 --model.hidden 512 --model.reduction 8", 0.001, FRAMES
    ),
    "autohome_mix": _entry(
        "autohome_mix --model.num-clusters 48 64 48 --model.reduction 8 8 4 --model.hidden 512 "
        "--model.gru-hidden 128 --model.gru-reduction 8",
        0.001,
        FRAMES,
    ),
    "attention_net": _entry(
        "attention_net_3x1024 --model.size 512 --model.hidden 1024 1024", 0.001, FRAMES
    ),
    "multi_attention": _entry("multi_attention_decision_h4 --model.hidden 512", 0.001, FRAMES),
    "linear_combinations": _entry(f"linear_combinations_3 {HALF}", 0.0015, FRAMES),
    "vlad_bow": _entry(f"vlad_bow_1000 {HALF}", 0.0015, FRAMES),
    "kmeans_resnet": _entry(
        f"kmeans_resnet --model.num-clusters 1000 {HALF}", 0.0015, FRAMES, centroids=1000
    ),
    "time_distributed_conv": _entry(
        "time_distributed_conv --model.channels 512 512 --model.other-channels 128 128",
        0.001,
        FRAMES,
    ),
    "time_distributed_sort": _entry(f"time_distributed_sort {HALF}", 0.0015, FRAMES),
    "time_distributed_max": _entry(f"time_distributed_max {HALF}", 0.0015, FRAMES),
    "samsung_transformer": _entry("samsung_transformer", 0.001, FRAMES),
    "transformer": _entry("transformer_2x256", 0.0005, FRAMES),
    "second_level": _entry("second_level --model.divisor 4", 0.0015, VIDEOS),
}
