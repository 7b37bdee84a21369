"""Mutations of protobuf messages that keep them messages, or nearly so."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from benchmarks.fuzz.mutation import INTEGERS, mutated

Value: TypeAlias = "bytes | int | list[Node]"
_VARINT, _FIXED64, _BYTES, _GROUP, _GROUP_END, _FIXED32 = range(6)
_MOST_DEPTH = 8
_WORD = (1 << 64) - 1
_MOST_BYTES = 1 << 14
_SHORT = [bytes([number]) for number in range(128)]


@dataclass
class Node:
    """A field of a message.

    Attributes:
        number: field number.
        wire_type: as in the tag; it need not fit the value.
        value: bytes, a number, or the fields of a message.
        spare: bytes by which varints of its header are longer than need be.
        off: what is added to the length that is written.
    """

    number: int
    wire_type: int
    value: Value
    spare: int = 0
    off: int = 0

    def encoded(self) -> bytes:
        """Return the bytes of the field."""
        out = varint(self.number << 3 | self.wire_type, self.spare)
        if self.wire_type == _GROUP:
            inner = encoded(self.value) if isinstance(self.value, list) else b""
            return out + inner + varint(self.number << 3 | _GROUP_END)
        if isinstance(self.value, int):
            if self.wire_type == _VARINT:
                return out + varint(self.value, self.spare)
            size = 4 if self.wire_type == _FIXED32 else 8
            return out + (self.value & ((1 << 8 * size) - 1)).to_bytes(size, "little")
        content = encoded(self.value) if isinstance(self.value, list) else self.value
        if self.wire_type == _BYTES:
            out += varint(max(0, len(content) + self.off), self.spare)
        return out + content


@dataclass
class _Reader:
    data: bytes
    at: int = 0
    nodes: list[Node] = field(default_factory=list)

    def number(self) -> int:
        value = shift = 0
        while shift < 70:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
        raise ValueError("too long")


def varint(value: int, spare: int = 0) -> bytes:
    """Return a number as a varint that is `spare` bytes longer than need be."""
    if not spare and 0 <= value < 128:
        return _SHORT[value]
    value &= _WORD
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    for _ in range(spare):
        out[-1] |= 0x80
        out.append(0)
    return bytes(out)


def encoded(nodes: list[Node]) -> bytes:
    """Return the bytes of a message."""
    return b"".join(node.encoded() for node in nodes)


def parsed(data: bytes, depth: int = 0) -> list[Node] | None:
    """Return the fields of a message, in which bytes that look like a message are one; or None."""
    reader = _Reader(data)
    try:
        while reader.at < len(data):
            reader.nodes.append(_node(reader, depth))
    except (IndexError, ValueError):
        return None
    return reader.nodes


def _node(reader: _Reader, depth: int) -> Node:
    tag = reader.number()
    number, wire_type = tag >> 3, tag & 7
    if not number or wire_type in (_GROUP, _GROUP_END) or wire_type > _FIXED32:
        raise ValueError("no plain field")
    if wire_type == _VARINT:
        return Node(number, wire_type, reader.number())
    size = {_FIXED32: 4, _FIXED64: 8}.get(wire_type) or 0
    if wire_type == _BYTES:
        size = reader.number()
    content = reader.data[reader.at : reader.at + size]
    if len(content) < size:
        raise ValueError("cut")
    reader.at += size
    inner = parsed(content, depth + 1) if wire_type == _BYTES and depth < _MOST_DEPTH else None
    if wire_type != _BYTES:
        return Node(number, wire_type, int.from_bytes(content, "little"))
    return Node(number, wire_type, inner if inner and content else content)


def mutated_message(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """Return a message with some fields changed; bytes that are none are mutated as such.

    Args:
        rng: draws what.
        data: the message.
        others: messages whose fields may come in.
    """
    nodes = parsed(data)
    if nodes is None:
        return mutated(rng, data, others)
    for _ in range(1 + int(rng.expovariate(0.6))):
        _change(rng, nodes, others)
    return encoded(nodes)


def smaller(data: bytes) -> Iterator[bytes]:
    """Yield a message without one of its fields, or with one of its contents emptied.

    Args:
        data: the message.
    """
    nodes = parsed(data) or []
    holders = [nodes]
    for holder in holders:
        holders += [node.value for node in holder if isinstance(node.value, list)]
    for holder in holders:
        for at in range(len(holder) - 1, -1, -1):
            node = holder.pop(at)
            yield encoded(nodes)
            holder.insert(at, Node(node.number, node.wire_type, b""))
            if node.value:
                yield encoded(nodes)
            holder[at] = node


def _change(rng: random.Random, nodes: list[Node], others: list[bytes]) -> None:
    """Change one place of a message."""
    holder = nodes
    while holder and rng.random() < 0.8:  # go down
        node = rng.choice(holder)
        if not isinstance(node.value, list):
            break
        holder = node.value
    if not holder:
        holder.append(random_node(rng))
        return
    at = rng.randrange(len(holder))
    node, kind = holder[at], rng.randrange(14)
    if kind == 0:
        del holder[at]
    elif kind == 1:
        most = 1 + _MOST_BYTES // (1 + len(node.encoded()))
        copies = min(most, rng.choice((1, 1, 1, 1, 1, 2, 3, 70, 300)))
        holder[at:at] = [node] * copies
    elif kind == 2:
        holder[at] = Node(rng.choice((1, 2, 3, 4, 15, 16, 1 << 28)), node.wire_type, node.value)
    elif kind == 3:
        holder[at] = Node(node.number, rng.randrange(8), node.value)
    elif kind == 4:
        holder[at] = Node(node.number, node.wire_type, node.value, rng.randrange(1, 11))
    elif kind == 5:
        holder[at] = Node(
            node.number, node.wire_type, node.value, 0, rng.choice((-1, 1, 5, 1 << 40))
        )
    elif kind == 6:
        rng.shuffle(holder)
    elif kind == 7:
        holder.insert(at, random_node(rng))
    elif kind == 8:
        holder[at] = _in_pieces(rng, holder, at)
    elif kind == 9:
        other = parsed(rng.choice(others)) if others else None
        holder.insert(at, rng.choice(other) if other else random_node(rng))
    elif kind == 10:
        holder[at] = Node(node.number, _GROUP, [node])
    elif kind == 11 and isinstance(node.value, bytes):
        holder[at] = _unpacked(rng, holder, at)
    elif isinstance(node.value, int):
        holder[at] = Node(node.number, node.wire_type, rng.choice(INTEGERS))
    else:
        content = encoded(node.value) if isinstance(node.value, list) else node.value
        holder[at] = Node(node.number, node.wire_type, mutated(rng, content))


def _in_pieces(rng: random.Random, holder: list[Node], at: int) -> Node:
    """Put the first part of a message in front of it, as a message of its own."""
    node = holder[at]
    if not isinstance(node.value, list) or len(node.value) < 1:
        return node
    place = rng.randrange(len(node.value) + 1)
    holder.insert(at, Node(node.number, node.wire_type, node.value[:place]))
    del holder[at + 1]
    rest = Node(node.number, node.wire_type, node.value[place:])
    holder.insert(rng.randrange(at, len(holder) + 1), rest)
    return holder[at]


def _unpacked(rng: random.Random, holder: list[Node], at: int) -> Node:
    """Replace packed numbers by single ones."""
    node = holder[at]
    content = node.value if isinstance(node.value, bytes) else b""
    if rng.random() < 0.5:
        values = [int.from_bytes(content[i : i + 4], "little") for i in range(0, len(content), 4)]
        nodes = [Node(node.number, _FIXED32, value) for value in values[:300]]
    else:
        nodes = [Node(node.number, _VARINT, value) for value in content[:300]]
    holder[at : at + 1] = nodes or [node]
    return holder[at]


def random_node(rng: random.Random, depth: int = 0) -> Node:
    """Return a field with random content."""
    number = rng.choice((1, 1, 1, 2, 2, 3, 4, 99))
    kind = rng.randrange(6)
    if kind < 2:
        return Node(number, rng.choice((_VARINT, _FIXED32, _FIXED64)), rng.choice(INTEGERS))
    if kind < 4 and depth < 5:
        inner = [random_node(rng, depth + 1) for _ in range(rng.randrange(4))]
        return Node(number, rng.choice((_BYTES, _BYTES, _BYTES, _GROUP)), inner)
    return Node(number, _BYTES, rng.randbytes(rng.choice((0, 1, 4, 5, 16, 60))))
