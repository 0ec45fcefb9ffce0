"""Moves the large arrays of an ONNX file to where the operating system can take their memory back.

Only the fields of the file's messages are looked at, without the package `onnx`: importing that, and parsing
the file with it, would take most of the time of loading.

Law: nothing here is about a certain model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.common.evictable_arrays import EvictableArrays
from engines.common.onnx import GivenArrays
from engines.common.protobuf_fields import fields, head, value, whole_number

GRAPH_OF_MODEL, ARRAY_OF_GRAPH = 7, 5
SIZE_OF_ARRAY, KIND_OF_ARRAY, NAME_OF_ARRAY, NUMBERS_OF_ARRAY = 1, 2, 8, 9
PLACE_OF_ARRAY, KIND_OF_PLACE = 13, 14
"""The numbers of an array's fields, in the messages of ONNX."""
KEY_OF_ENTRY, VALUE_OF_ENTRY, IN_ANOTHER_FILE = 1, 2, 1
MOVED_KINDS = {1: "<f4", 2: "u1", 3: "i1", 6: "<i4", 7: "<i8"}
"""The kinds of numbers that are moved, by the numbers that ONNX has for them."""
LARGE_BYTES = 16 * 1024
"""Arrays of fewer bytes stay in the graph, because each one that is moved begins a new page of memory."""


def without_large_arrays(model: memoryview, file: Path, to: EvictableArrays) -> tuple[bytes, GivenArrays]:
    """The model without its large arrays, and those, which are moved into `to`. A session needs both.

    In the model each array is marked as one in another file, and `file` is named; nothing is read from there,
    but ONNX has no other mark for an array that is not in the graph. Raises `ValueError` if it is damaged or
    unusual.
    """
    kept, moved, names = list[memoryview | bytes](), dict[str, NDArray[Any]](), set[bytes]()
    for number, contents, whole in fields(model):
        if number != GRAPH_OF_MODEL:
            kept.append(whole)
            continue
        graph = list[memoryview | bytes]()
        for inner, array, piece in fields(contents):
            if inner == ARRAY_OF_GRAPH:
                _look(array, names)
            found = moved_array(array, file, to) if inner == ARRAY_OF_GRAPH else None
            if found is None:
                graph.append(piece)
                continue
            name, told, numbers = found
            moved[name] = numbers
            graph += [head(ARRAY_OF_GRAPH, len(told)), told]
        kept += [head(GRAPH_OF_MODEL, sum(map(len, graph))), *graph]
    return b"".join(kept), GivenArrays(file, moved)


def _look(array: memoryview, names: set[bytes]) -> None:
    """Adds the array's name. Raises `ValueError` if it is there already, or if the array is in another file:
    the session finds those beside a file that it reads itself.
    """
    parts = [(number, contents) for number, contents, _ in fields(array) if number != NUMBERS_OF_ARRAY]
    name = b"".join(bytes(contents) for number, contents in parts if number == NAME_OF_ARRAY)
    if name in names or any(number == PLACE_OF_ARRAY for number, _ in parts):
        raise ValueError("arrays of one name, or in another file")
    names.add(name)


def moved_array(array: memoryview, file: Path, to: EvictableArrays) -> tuple[str, bytes, NDArray[Any]] | None:
    """The array's name, what the graph says of it instead, and its numbers in `to`. None if it stays: it is
    small, or not written as one piece of bytes of a known kind.
    """
    if len(array) < LARGE_BYTES:
        return None
    sizes, kind, name, numbers, kept = list[int](), 0, "", None, list[memoryview | bytes]()
    for number, contents, whole in fields(array):
        if number == NUMBERS_OF_ARRAY:
            numbers = contents
            continue
        kept.append(whole)
        if number == SIZE_OF_ARRAY:
            sizes.append(whole_number(whole))
        elif number == KIND_OF_ARRAY:
            kind = whole_number(whole)
        elif number == NAME_OF_ARRAY:
            name = str(contents, "utf-8")
    if numbers is None or kind not in MOVED_KINDS:
        return None
    read = np.frombuffer(numbers, MOVED_KINDS[kind]).reshape(sizes)
    copy = to.new((read.nbytes,)).view(read.dtype).reshape(sizes)
    copy[...] = read
    entry = value(KEY_OF_ENTRY, b"location") + value(VALUE_OF_ENTRY, file.resolve().name.encode())
    kept += [value(PLACE_OF_ARRAY, entry), value(KIND_OF_PLACE, IN_ANOTHER_FILE)]
    return name, b"".join(kept), copy
