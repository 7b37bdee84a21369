"""Non-local NetVLAD: its parts and the names of its authors."""

from dataclasses import replace

import pytest
import torch

from reeltag.core.errors import ConfigError
from reeltag.models import netvlad, non_local_netvlad


def test_non_local_netvlad_adds_four_matrices_per_stream() -> None:
    config = non_local_netvlad.Config()
    with torch.device("meta"):
        model = config.build()
        plain = netvlad.Config(num_clusters=64, num_experts=8).build()
    own, other = (sum(p.numel() for p in m.parameters()) for m in (model, plain))
    assert own - other == 4 * (1024 * 64 + 128 * 32)
    names = model.tensorflow_names()
    assert names["pools.1.block.theta.weight"] == "audio_VLAD/nonlocal_theta"


def test_temperature_out_of_range_raises() -> None:
    with pytest.raises(ConfigError, match="temperature is 0; allowed: a finite number > 0"):
        replace(non_local_netvlad.TINY, temperature=0)
