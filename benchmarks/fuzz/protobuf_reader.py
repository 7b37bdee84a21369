"""tf.Example and tf.SequenceExample as Google's protobuf package reads them: what is right.

A map is declared as what it is on the wire, a repeated entry of key and value, of which the last
counts: the package's own parser of maps drops entries that hold a field that it does not know, and
others (C++, Java) keep them.

Source of the messages: tensorflow/core/example/{example,feature}.proto.
"""

from functools import cache
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from reeltag.data.records.feature_values import Feature

Decoded = tuple[dict[str, Feature], dict[str, list[Feature]]]
_DTYPES = {"float_list": np.float32, "int64_list": np.int64}
_Kinds = descriptor_pb2.FieldDescriptorProto


def decoded_sequence_example(payload: bytes) -> Decoded | None:
    """Return context and feature lists of a tf.SequenceExample; None where it is none."""
    try:
        message = _message()()
        message.ParseFromString(payload)
        context = {entry.key: _feature(entry.value) for entry in message.context.feature}
        lists = {
            entry.key: [_feature(of) for of in entry.value.feature]
            for entry in message.feature_lists.feature_list
        }
    except (DecodeError, UnicodeDecodeError):
        return None
    return context, lists


def _feature(feature: Any) -> Feature:  # noqa: ANN401  (a message)
    kind = feature.WhichOneof("kind")
    if kind is None:
        return None
    values = getattr(feature, kind).value
    return list(values) if kind == "bytes_list" else np.array(values, _DTYPES[kind])


@cache
def _message() -> Any:  # noqa: ANN401  (a class that the package makes)
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="fuzz", syntax="proto3")
    for name, kind in (
        ("BytesList", _Kinds.TYPE_BYTES),
        ("FloatList", _Kinds.TYPE_FLOAT),
        ("Int64List", _Kinds.TYPE_INT64),
    ):
        _field(file.message_type.add(name=name), "value", 1, kind, repeated=True)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, name in enumerate(("bytes_list", "float_list", "int64_list"), 1):
        of = "".join(part.capitalize() for part in name.split("_"))
        _field(feature, name, number, of).oneof_index = 0
    _field(file.message_type.add(name="FeatureList"), "feature", 1, "Feature", repeated=True)
    _map(file.message_type.add(name="Features"), "feature", "Feature")
    _map(file.message_type.add(name="FeatureLists"), "feature_list", "FeatureList")
    example = file.message_type.add(name="SequenceExample")
    _field(example, "context", 1, "Features")
    _field(example, "feature_lists", 2, "FeatureLists")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    described = pool.FindMessageTypeByName("fuzz.SequenceExample")
    return message_factory.GetMessageClass(described)


def _field(
    message: Any,  # noqa: ANN401
    name: str,
    number: int,
    kind: int | str,
    *,
    repeated: bool = False,
) -> Any:  # noqa: ANN401
    label = _Kinds.LABEL_REPEATED if repeated else _Kinds.LABEL_OPTIONAL
    if isinstance(kind, str):
        return message.field.add(
            name=name,
            number=number,
            label=label,
            type=_Kinds.TYPE_MESSAGE,
            type_name=f".fuzz.{kind}",
        )
    return message.field.add(name=name, number=number, label=label, type=kind)


def _map(message: Any, name: str, kind: str) -> None:  # noqa: ANN401
    """Give a message field 1: entries of a text and a message of a kind."""
    entry_name = "".join(part.capitalize() for part in name.split("_")) + "Entry"
    entry = message.nested_type.add(name=entry_name)
    _field(entry, "key", 1, _Kinds.TYPE_STRING)
    _field(entry, "value", 2, kind)
    _field(message, name, 1, f"{message.name}.{entry_name}", repeated=True)
