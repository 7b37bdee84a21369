"""The zoo: one file per family, found by its name. To add one: write its file. Nothing else."""

from reeltag.models._config import ModelConfig, resolve_mask
from reeltag.models._parts import (
    KnowsClassWeights,
    KnowsCooccurrence,
    Mixture,
    Penalised,
    output_layers,
    penalty,
)
from reeltag.models._registry import (
    Family,
    create_model,
    families,
    family_of,
    find_family,
    list_models,
    model_config,
    register_model,
)

__all__ = [
    "Family",
    "KnowsClassWeights",
    "KnowsCooccurrence",
    "Mixture",
    "ModelConfig",
    "Penalised",
    "create_model",
    "families",
    "family_of",
    "find_family",
    "list_models",
    "model_config",
    "output_layers",
    "penalty",
    "register_model",
    "resolve_mask",
]
