"""Pickles of numpy arrays, as Detectron2 publishes them, read without running anything they name.

A pickle is a program. Two gates stand before it: its instructions are listed first, and those that a file of arrays
does not need are refused, as are lengths and memo places that the file is too small for; then the few names it may
call lead to code of this file, never to what they are elsewhere, and arrays may hold no more bytes than the file.

Guarded: code, imports, persistent ids, declared sizes, repeated copies of one string, tuples nested so deep that
hashing them would overflow the stack. Memory stays below a few times the file's size. Not guarded: a file that is
large itself, and time beyond what `MAX_INSTRUCTIONS` allow.
"""

import pickletools
from io import BytesIO
from math import prod
from pickle import Unpickler
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from model.checkpoints import CheckpointError

MAX_INSTRUCTIONS = 500_000  # some 40 an array; the largest network of the family has 2,000 arrays
MAX_TUPLES = 20_000  # some 4 an array; hashing a tuple recurses in C, unchecked
MAX_NAME = 80  # characters of a name in a message
INSTRUCTIONS = {
    "PROTO", "FRAME", "STOP", "MARK", "MEMOIZE", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET",
    "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT",
    "SHORT_BINSTRING", "BINSTRING", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8",
    "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8",
    "EMPTY_DICT", "SETITEM", "SETITEMS", "EMPTY_LIST", "APPEND", "APPENDS",
    "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD",
}  # fmt: skip
TUPLES = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}
PUTS = {"BINPUT", "LONG_BINPUT"}
NUMBERS = {"b1", "f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"}


class PickledArray:
    """An array of a pickle, checked before it is made."""

    __slots__ = ("_account", "array")

    def __init__(self, account: "_Account"):
        self._account = account
        self.array: NDArray[Any] = np.empty(0, np.float32)

    def __setstate__(self, state: tuple[int, tuple[int, ...], "_Dtype", bool, bytes | str]) -> None:
        _, shape, dtype, fortran, data = state
        self.fill(data.encode("latin1") if isinstance(data, str) else data, dtype, shape, fortran=fortran)

    def fill(self, data: bytes, dtype: "_Dtype", shape: tuple[int, ...], *, fortran: bool) -> None:
        """Copy the data, once they are found to be exactly what the shape asks for."""
        if not isinstance(dtype, _Dtype) or not isinstance(shape, tuple) or not isinstance(data, bytes):
            raise CheckpointError("it holds an array that is none of plain numbers")
        if any(not isinstance(side, int) or side < 0 for side in shape):
            raise CheckpointError("it holds an array with a side that is no number")
        if prod(shape) * dtype.numbers.itemsize != len(data):
            raise CheckpointError(
                f"it holds an array of {prod(shape):,} numbers and {len(data):,} bytes of data for them"
            )
        self._account.take(len(data))
        array = np.frombuffer(data, dtype.numbers).reshape(shape, order="F" if fortran else "C")
        self.array = array.astype(
            dtype.numbers.newbyteorder("="), order="C"
        )  # a copy, which torch may write to


def read_pickle(content: bytes) -> object:
    """Unpickle plain containers, strings, numbers and numpy arrays, which come as `PickledArray`.

    Python 2's strings are read as latin1, as Detectron2 does.

    Raises: CheckpointError: it asks for anything else, or is no whole pickle; the message says for what.
    """
    _check_instructions(content)
    try:
        return _ArrayUnpickler(content).load()
    except CheckpointError:
        raise
    except Exception as error:  # a broken pickle may raise nearly anything
        raise CheckpointError(f"it is a broken pickle ({type(error).__name__})") from error


def _check_instructions(content: bytes) -> None:
    tuples = 0
    try:
        for count, (instruction, argument, position) in enumerate(pickletools.genops(content)):
            name, number = instruction.name, argument if isinstance(argument, int) else 0
            tuples += name in TUPLES
            if name not in INSTRUCTIONS:
                raise CheckpointError(f"its pickle uses {name}, which no file of arrays needs")
            if name == "FRAME" and number > len(content) - (position or 0):
                raise CheckpointError(f"its pickle declares {number:,} bytes, more than the file has")
            if name in PUTS and number > count:
                raise CheckpointError(f"its pickle asks for {number:,} places of memory")
            if count > MAX_INSTRUCTIONS or tuples > MAX_TUPLES:
                raise CheckpointError(
                    f"its pickle has over {MAX_INSTRUCTIONS:,} instructions or {MAX_TUPLES:,} tuples"
                )
    except (ValueError, OverflowError, MemoryError) as error:
        raise CheckpointError("it is a broken pickle, which ends before its data do") from error


class _Account:
    """How many bytes may still be made of a file."""

    def __init__(self, size: int):
        self.left = size

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise CheckpointError("its arrays hold more bytes than the file")


class _Dtype:
    """A type of numbers, of the kinds that tensors have."""

    __slots__ = ("numbers",)

    def __init__(self, name: object):
        if not isinstance(name, str) or name not in NUMBERS:
            raise CheckpointError("it holds an array of something else than numbers")
        self.numbers = np.dtype(name)

    def __setstate__(self, state: tuple[object, ...]) -> None:
        match state[1]:
            case "<" | ">" | "|" | "=" as order:
                self.numbers = self.numbers.newbyteorder(order)
            case _:
                raise CheckpointError("it holds numbers of an unknown byte order")


class _Ordered(dict[object, object]):
    """An ordered dictionary; what was hung on it, as torch does, is left out."""

    def __setstate__(self, state: object) -> None:
        """Take nothing."""


class _Callable:
    """What a name in a pickle leads to. It takes no state, so that no pickle changes it."""

    __slots__ = ("_account", "_name")

    def __init__(self, name: str, account: _Account):
        self._name, self._account = name, account

    def __call__(self, *arguments: Any) -> object:
        made: object = getattr(self, self._name)(*arguments)
        return made

    def __setstate__(self, state: object) -> None:
        raise CheckpointError(f"its pickle tries to change {self._name}")

    def dtype(self, name: object, *flags: object) -> _Dtype:
        return _Dtype(name)

    def empty_array(self, kind: object, shape: object, code: object) -> PickledArray:
        return PickledArray(self._account)

    def filled_array(
        self, data: bytes | bytearray, dtype: _Dtype, shape: tuple[int, ...], order: str
    ) -> PickledArray:
        array = PickledArray(self._account)
        array.fill(bytes(data), dtype, shape, fortran=order == "F")
        return array

    def scalar(self, dtype: _Dtype, data: bytes | str) -> int | float:
        array = PickledArray(self._account)
        array.fill(data.encode("latin1") if isinstance(data, str) else data, dtype, (), fortran=False)
        value: int | float = array.array.item()
        return value

    def encoded(self, text: str, encoding: str) -> bytes:
        if encoding not in ("latin1", "latin-1"):
            raise CheckpointError("its pickle encodes text in another way than numpy does")
        self._account.take(len(text))
        return text.encode("latin1")

    def no_bytes(self) -> bytes:
        return b""

    def ordered(self, items: Any = ()) -> _Ordered:
        return _Ordered(items)

    def array_kind(self, *arguments: object) -> NoReturn:
        raise CheckpointError("its pickle makes an array in another way than numpy does")


CALLABLES = {
    ("numpy", "dtype"): "dtype",
    ("numpy", "ndarray"): "array_kind",
    ("_codecs", "encode"): "encoded",
    ("__builtin__", "bytes"): "no_bytes",  # how Python 3 writes an empty string for Python 2
    ("collections", "OrderedDict"): "ordered",
} | {
    (f"numpy.{core}.{module}", name): ours  # numpy 1 and 2
    for core in ("core", "_core")
    for module, name, ours in (
        ("multiarray", "_reconstruct", "empty_array"),
        ("multiarray", "scalar", "scalar"),
        ("numeric", "_frombuffer", "filled_array"),
    )
}


class _ArrayUnpickler(Unpickler):
    def __init__(self, content: bytes):
        super().__init__(BytesIO(content), encoding="latin1")
        # A string's copy by `_codecs.encode` and the array of it are both counted.
        self._account = _Account(2 * len(content))

    def find_class(self, module: str, name: str) -> object:
        ours = CALLABLES.get((module, name))
        return _refuse(f"{module}.{name}") if ours is None else _Callable(ours, self._account)


def _refuse(name: str) -> NoReturn:
    raise CheckpointError(
        f"its pickle asks for {name[:MAX_NAME]!r}; only numpy arrays and plain containers are read"
    )
