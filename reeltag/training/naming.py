"""Parameters that patterns of the recipe name, as a shell names files."""

from fnmatch import fnmatchcase

from torch import nn

from reeltag.core.errors import ConfigError


def named_by(pattern: str, model: nn.Module, where: str) -> list[str]:
    """Return the names of the parameters that a pattern names.

    Args:
        pattern: as in a shell; * also crosses the dots of names.
        model: whose parameters.
        where: the option, for the error.

    Raises:
        ConfigError: it names none.
    """
    names = [name for name, _ in model.named_parameters()]
    found = [name for name in names if fnmatchcase(name, pattern)]
    if not found:
        raise ConfigError(
            f"the model has no parameter {pattern!r}",
            where=where,
            hint=f"It has {', '.join(names[:4])}, ...",
        )
    return found
