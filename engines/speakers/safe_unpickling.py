"""Reads the arrays of a PyTorch checkpoint (a zip archive with a pickle in it) and runs nothing.

A pickle is a program for a small stack machine, and `pickle` lets that program call any function. This reader
executes only the few opcodes that build plain values, and knows a fixed list of names: a tensor becomes an
array, an `OrderedDict` a dict, the other names of the list become an inert value. Any other name, opcode or
inconsistency raises `WeightsBroken`.

https://docs.python.org/3/library/pickletools.html describes the opcodes, `torch/serialization.py` the
archive.

Law: no name from the file is ever imported or called; sizes are checked before memory is taken.
"""

from __future__ import annotations

import math
import pickletools
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engines.errors import WeightsBroken

PICKLE_BYTES = 1 << 20
"""Bytes of the largest pickle program that is read; those of the known models have 7 and 133 kB."""
ARRAY_BYTES = 1 << 28
"""The most bytes of all arrays together."""
MOST_MEMBERS = 10_000
PROGRAM = "data.pkl"
STORAGES = {
    "torch FloatStorage": "<f4",
    "torch DoubleStorage": "<f8",
    "torch HalfStorage": "<f2",
    "torch LongStorage": "<i8",
    "torch IntStorage": "<i4",
}
TENSOR = "torch._utils _rebuild_tensor_v2"
DICT = "collections OrderedDict"
INERT = frozenset(
    {
        "torch.torch_version TorchVersion",
        "pyannote.audio.core.task Specifications",
        "pyannote.audio.core.task Problem",
        "pyannote.audio.core.task Resolution",
    }
)
"""Names in the known files that are not tensors; their values are not needed."""
MALFORMED = (
    *(ValueError, KeyError, IndexError, TypeError, AttributeError, EOFError, OverflowError),
    *(zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError),
)
"""What `zipfile`, `pickletools` and this reader raise for files of another kind."""


@dataclass(frozen=True, slots=True)
class Name:
    """A class or function that the file names. Its name is only compared; the class is never imported."""

    text: str


@dataclass(frozen=True, slots=True)
class Inert:
    """An object of a class that is not needed here."""

    name: Name


def read(path: Path, *, most: int = ARRAY_BYTES) -> Any:
    """The content of a checkpoint: dicts, lists, numbers, text, and a read-only array for each tensor.

    `most`: bytes of all arrays. Raises `WeightsBroken` for anything that is not such a file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            name = _program_name(archive)
            storages = _Storages(archive, name.removesuffix(PROGRAM), most)
            return _Machine(storages).run(_bytes(archive, name, PICKLE_BYTES))
    except MALFORMED as wrong:
        raise WeightsBroken(f"The file `{path.name}` is not a PyTorch checkpoint, or is damaged.") from wrong


def _program_name(archive: zipfile.ZipFile) -> str:
    names = [name for name in archive.namelist()[: MOST_MEMBERS + 1] if name.endswith(f"/{PROGRAM}")]
    if len(names) != 1 or len(archive.namelist()) > MOST_MEMBERS:
        raise ValueError("not one program, or too many members")
    return names[0]


def _bytes(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """The bytes of a member of the archive. PyTorch never compresses, so a member that claims more than the
    file has is refused.
    """
    member = archive.getinfo(name)
    if member.compress_type != zipfile.ZIP_STORED or member.file_size > most:
        raise ValueError(f"{name} is compressed or too large")
    return archive.read(member)


@dataclass(slots=True)
class _Storages:
    """The arrays of numbers that lie in the archive beside the pickle program; each is read once."""

    archive: zipfile.ZipFile
    folder: str
    """Folder of the program in the archive."""
    left: int
    """Bytes that may still be read."""
    known: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)

    def get(self, kind: Name, key: str, count: int) -> np.ndarray[Any, Any]:
        if key not in self.known:
            data = _bytes(self.archive, f"{self.folder}data/{key}", self.left)
            self.left -= len(data)
            self.known[key] = np.frombuffer(data, STORAGES[kind.text])
        found = self.known[key]
        if len(found) != count or found.dtype != np.dtype(STORAGES[kind.text]):
            raise ValueError("a storage of another size")
        return found


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> np.ndarray[Any, Any]:
    """A tensor as an array. Only tensors whose elements lie in order are accepted, as in the layers of a
    model, so that no shape is larger than its storage.
    """
    sizes = [int(size) for size in shape]
    in_order = [math.prod(sizes[axis + 1 :]) for axis in range(len(sizes))]
    stop = int(offset) + math.prod(sizes)
    if min([0, int(offset), *sizes]) < 0 or stop > len(storage) or list(strides) != in_order:
        raise ValueError("a tensor outside its storage, or not in order")
    found: np.ndarray[Any, Any] = storage[int(offset) : stop].reshape(sizes)
    return found


class _Machine:
    """The stack machine that runs the pickle program. It knows the opcodes in the tables below."""

    def __init__(self, storages: _Storages) -> None:
        self._storages = storages
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self, program: bytes) -> Any:
        for opcode, argument, _ in pickletools.genops(program):
            if opcode.name == "STOP":
                return self._stack.pop()
            if opcode.name in CONSTANTS:
                self._stack.append(CONSTANTS[opcode.name])
            elif opcode.name in ARGUMENTS:
                self._stack.append(argument)
            else:
                STEPS[opcode.name](self, argument)
        raise ValueError("no end")

    def _pop(self, count: int) -> tuple[Any, ...]:
        if count > len(self._stack):
            raise ValueError("an empty stack")
        taken = tuple(self._stack[len(self._stack) - count :])
        del self._stack[len(self._stack) - count :]
        return taken

    def _marked(self) -> tuple[Any, ...]:
        return self._pop(len(self._stack) - self._marks.pop())

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def mark(self, _: Any) -> None:
        self._marks.append(len(self._stack))

    def put(self, index: Any) -> None:
        self._memo[index] = self._stack[-1]

    def get(self, index: Any) -> None:
        self._stack.append(self._memo[index])

    def tuple_of(self, count: int | None) -> None:
        self._stack.append(self._marked() if count is None else self._pop(count))

    def append(self, items: tuple[Any, ...]) -> None:
        _plain(self._stack[-1], list).extend(items)

    def set_items(self, items: tuple[Any, ...]) -> None:
        target = _plain(self._stack[-1], dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[_plain(key, (str, int))] = value

    def storage(self, _: Any) -> None:
        """Pushes the array for `("storage", class, key, device, number of elements)`."""
        (_, kind, key, _, count), *_ = self._pop(1)
        self._stack.append(self._storages.get(_plain(kind, Name), str(key), int(count)))

    def call(self, _: Any) -> None:
        function, arguments = self._pop(2)
        self._stack.append(_made(_plain(function, Name), arguments))

    def build(self, _: Any) -> None:
        """The opcode BUILD: drops the state of inert objects and the attributes of dicts."""
        target, _ = self._pop(2)
        self._stack.append(_plain(target, (Inert, dict)))


def _plain(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError("another kind of value was due")
    return value


def _named(argument: Any) -> Name:
    name = Name(str(argument))
    if name.text not in INERT and name.text not in STORAGES and name.text not in (TENSOR, DICT):
        called = name.text.replace(" ", ".", 1)
        raise WeightsBroken(f"The checkpoint names `{called[:100]}`, which no model needs. It is not loaded.")
    return name


def _made(name: Name, arguments: Any) -> Any:
    if name.text == TENSOR:
        return _tensor(*arguments)
    if name.text == DICT and not arguments:
        return {}
    if name.text in INERT:
        return Inert(name)
    raise ValueError("a call that no checkpoint has")


CONSTANTS: Mapping[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
"""Opcodes that push one value."""
ARGUMENTS = frozenset({"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE"})
"""Opcodes that push their argument."""
STEPS: Mapping[str, Callable[[_Machine, Any], None]] = {
    "PROTO": lambda machine, _: None,
    "FRAME": lambda machine, _: None,
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "GLOBAL": lambda machine, argument: machine.push(_named(argument)),
    "MARK": _Machine.mark,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "TUPLE": lambda machine, _: machine.tuple_of(None),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "APPEND": lambda machine, _: machine.append(machine._pop(1)),  # noqa: SLF001 - the machine's own table
    "APPENDS": lambda machine, _: machine.append(machine._marked()),  # noqa: SLF001 - as above
    "SETITEM": lambda machine, _: machine.set_items(machine._pop(2)),  # noqa: SLF001 - as above
    "SETITEMS": lambda machine, _: machine.set_items(machine._marked()),  # noqa: SLF001 - as above
    "BINPERSID": _Machine.storage,
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.call,
    "BUILD": _Machine.build,
}
"""Opcodes that change values on the stack."""
