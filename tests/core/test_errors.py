"""An error names where, what and the way out."""

from reeltag.core.errors import ConfigError, DataError, ReeltagError


def test_text_names_where_what_and_way_out() -> None:
    error = DataError("is empty", where="a.tfrecord", hint="Delete it.")
    assert str(error) == "a.tfrecord: is empty\n  Delete it."
    assert str(ConfigError("k must be positive")) == "k must be positive"
    assert isinstance(error, ReeltagError)
