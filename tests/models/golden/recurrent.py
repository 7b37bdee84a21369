"""LSTM and GRU: whole models."""

from torch import nn

from reeltag.models import gru, lstm
from tests.models.golden.file import Builder, Golden, l2, sizes


def google_lstm(golden: Golden) -> nn.Module:
    dim, num_classes = sizes(golden)
    return lstm.Config(
        num_classes=num_classes,
        dims=(dim,),
        cells=golden.setting("lstm_cells"),
        num_layers=golden.setting("lstm_layers"),
        read="output",
        num_experts=golden.setting("moe_num_mixtures"),
        l2=l2(golden),
    ).build()


def willow_lstm(golden: Golden) -> nn.Module:
    return lstm.Config(
        num_classes=sizes(golden)[1],
        dims=(golden.setting("video_dim"), golden.setting("audio_dim")),
        cells=golden.setting("lstm_cells"),
        num_layers=golden.setting("lstm_layers"),
        backward=golden.setting("lstm_backward", False),
        l2=l2(golden),
    ).build()


def willow_gru(golden: Golden) -> nn.Module:
    return gru.Config(
        num_classes=sizes(golden)[1],
        dims=(golden.setting("video_dim"), golden.setting("audio_dim")),
        cells=golden.setting("gru_cells"),
        num_layers=golden.setting("gru_layers"),
        backward=golden.setting("gru_backward", False),
        l2=l2(golden),
    ).build()


BUILDERS: dict[str, Builder] = {
    "google_lstm": google_lstm,
    "willow_model_lstm": willow_lstm,
    "willow_model_gru": willow_gru,
}
