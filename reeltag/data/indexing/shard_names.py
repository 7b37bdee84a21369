"""Names that shards have: those of TFRecords, in as many files as a writer made of them.

    train0000.tfrecord   eval.tfrecords   train.tfrecord-00000-of-00010   train-00000-of-00010

Each may end in `.gz`. Whether a shard is compressed is seen in its bytes, not in its name.
"""

import re

SUFFIX = ".tfrecord"
SHARD_NAMES = "*.tfrecord, *.tfrecords or *-00000-of-00010, or one of these and .gz"

_PART = r"-\d{5,}-of-\d{5,}"
# without .tfrecord there may be no other ending: model.ckpt.data-00000-of-00001 is no shard
_NAME = re.compile(rf"(?:.*\.tfrecords?(?:{_PART})?|[^.]*{_PART})(?:\.gz)?", re.DOTALL)
_ENDING = re.compile(r"(?:\.tfrecords?)?(?:\.gz)?$")


def is_shard_name(name: str) -> bool:
    """Return whether a file of this name is a shard.

    >>> is_shard_name("a-00000-of-00010.gz"), is_shard_name("m.data-00000-of-00001")
    (True, False)
    """
    return _NAME.fullmatch(name) is not None


def looks_like_shard(name: str) -> bool:
    """Return whether a name that is no shard's is close to one, as of a broken download."""
    return SUFFIX in name and not is_shard_name(name)


def without_ending(name: str) -> str:
    """Return the name of a shard without .tfrecord, .tfrecords and .gz at its end.

    >>> without_ending("a/train0.tfrecord.gz"), without_ending("a.tfrecord-00000-of-00010.gz")
    ('a/train0', 'a.tfrecord-00000-of-00010')
    """
    return _ENDING.sub("", name)
