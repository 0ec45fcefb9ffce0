"""The fields of a protobuf message, without parsing what they contain.

https://protobuf.dev/programming-guides/encoding. Law: nothing here is about a certain message.
"""

from __future__ import annotations

from collections.abc import Iterator

OF_VARINT, OF_EIGHT_BYTES, OF_CONTENTS, OF_FOUR_BYTES = 0, 1, 2, 5
"""The kinds of fields that are in use, by what is in them."""
LONGEST_VARINT = 10
"""Bytes of a whole number, at most."""


def fields(message: memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
    """Of each field: its number, its contents (empty if it is a number), and all of it.

    Raises `ValueError` if the message is damaged.
    """
    at = 0
    while at < len(message):
        key, after = _varint(message, at)
        kind, start = key & 7, after
        if kind == OF_CONTENTS:
            length, start = _varint(message, after)
            end = start + length
        elif kind == OF_VARINT:
            end = _varint(message, after)[1]
        elif kind in (OF_EIGHT_BYTES, OF_FOUR_BYTES):
            end = after + (8 if kind == OF_EIGHT_BYTES else 4)
        else:
            raise ValueError("A field is of an unknown kind.")
        if end > len(message):
            raise ValueError("The message ends in a field.")
        yield key >> 3, message[start:end] if kind == OF_CONTENTS else message[end:end], message[at:end]
        at = end


def head(number: int, length: int) -> bytes:
    """What is before the contents of a field, which are `length` bytes."""
    return _written(number << 3 | OF_CONTENTS) + _written(length)


def value(number: int, of: bytes | int) -> bytes:
    """A field, all of it."""
    return (
        _written(number << 3 | OF_VARINT) + _written(of)
        if isinstance(of, int)
        else head(number, len(of)) + of
    )


def whole_number(field: memoryview) -> int:
    """The number in a field, of which all is given. Raises `ValueError` if it holds something else."""
    key, at = _varint(field, 0)
    if key & 7 != OF_VARINT:
        raise ValueError("A field holds no number.")
    return _varint(field, at)[0]


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """The whole number that begins there, and where it ends: seven bits a byte, the lowest first."""
    value = 0
    for place, byte in enumerate(message[at : at + LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("A number does not end.")


def _written(value: int) -> bytes:
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)
