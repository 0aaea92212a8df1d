"""Pickles: arrays come out as they went in, and whatever else a pickle asks for is refused by name."""

import os
import pickle
import pickletools
import struct
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from model.checkpoints import CheckpointError
from model.checkpoints.pickles import MAX_INSTRUCTIONS, MAX_TUPLES, PickledArray, read_pickle

ARRAYS: dict[str, NDArray[Any]] = {
    "floats": np.arange(6, dtype=np.float32).reshape(2, 3),
    "bytes above 127": np.full((2, 2), 1e-9, np.float64),
    "columns first": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    "counts": np.array(7, np.int64),
    "half": np.ones(3, np.float16),
    "flags": np.array([True, False]),
    "empty": np.empty((0, 4), np.float32),
    "big endian": np.arange(3, dtype=">f4"),
}


class Runs:
    """An object whose pickle calls a function when it is read."""

    def __init__(self, function: Any, *arguments: Any):
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.function, self.arguments


class Asks:
    """An object known under an id of the writer's."""


class PersistentPickler(pickle.Pickler):
    def persistent_id(self, obj: Any) -> str | None:
        return "its id" if isinstance(obj, Asks) else None


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_survives_every_protocol(name: str, protocol: int) -> None:
    read = read_pickle(pickle.dumps({"model": ARRAYS[name]}, protocol))

    assert isinstance(read, dict)
    array = read["model"]
    assert isinstance(array, PickledArray)
    assert array.array.dtype == ARRAYS[name].dtype.newbyteorder("=")
    np.testing.assert_array_equal(array.array, ARRAYS[name])


def test_an_array_of_numpy_1_is_read() -> None:
    content = pickle.dumps(ARRAYS["floats"], 2).replace(b"numpy._core", b"numpy.core")

    read = read_pickle(content)

    assert b"numpy.core.multiarray" in content
    assert isinstance(read, PickledArray)
    np.testing.assert_array_equal(read.array, ARRAYS["floats"])


def test_an_array_of_python_2_whose_bytes_are_a_string_is_read() -> None:
    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    data = np.array([1.5, -2.0], np.float32).tobytes()
    dtype = (
        b"cnumpy\ndtype\n"
        + text(b"f4")
        + b"K\x00K\x01\x87R"
        + b"(K\x03"
        + text(b"<")
        + b"NNNJ\xff\xff\xff\xff"
    )
    dtype += b"J\xff\xff\xff\xffK\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
    array += b"(K\x01K\x02\x85" + dtype + b"\x89" + text(data) + b"tb"

    read = read_pickle(b"\x80\x02" + array + b".")

    assert isinstance(read, PickledArray)
    assert read.array.tolist() == [1.5, -2.0]


def test_scalars_ordered_dictionaries_and_text_are_read() -> None:
    written = OrderedDict(loss=np.float32(0.5), author="a name", steps=[1, 2.5, None, True])

    assert read_pickle(pickle.dumps(written, 2)) == dict(written)


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (os.system, ("touch touched",), f"{os.name}.system"),
        (eval, ("open('touched', 'w')",), r"(__builtin__|builtins)\.eval"),
        (__import__, ("antigravity",), r"(__builtin__|builtins)\.__import__"),
        (getattr, ("", "upper"), r"(__builtin__|builtins)\.getattr"),
        (bytearray, (10**12,), r"(__builtin__|builtins)\.bytearray"),
        (np.zeros, ((10**6, 10**6),), "numpy.zeros"),
        (np.load, ("file.npy",), "numpy.load"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_calls_something_is_refused_by_its_name(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    function: Any,
    arguments: tuple[Any, ...],
    name: str,
    protocol: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    content = pickle.dumps({"model": {"a": Runs(function, *arguments)}}, protocol)

    with pytest.raises(CheckpointError, match=f"its pickle asks for '{name}"):
        read_pickle(content)

    assert list(tmp_path.iterdir()) == []


def test_a_pickle_that_names_a_module_does_not_import_it() -> None:
    with pytest.raises(CheckpointError, match=r"asks for 'antigravity\.fly'"):
        read_pickle(b"\x80\x02cantigravity\nfly\n.")

    assert "antigravity" not in sys.modules


def persistent(protocol: int) -> bytes:
    from io import BytesIO

    file = BytesIO()
    PersistentPickler(file, protocol).dump([[Asks()]])
    return file.getvalue()


def eight(number: int) -> bytes:
    return struct.pack("<Q", number)


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
FLOATS = b"cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (persistent(2), "uses BINPERSID"),
        (b"\x80\x02P0\n.", "uses PERSID"),
        (pickle.dumps(Asks(), 2), "uses NEWOBJ"),
        (b"\x80\x02(cos\nsystem\no.", "uses OBJ"),
        (b"\x80\x02(ios\nsystem\n.", "uses INST"),
        (b"\x80\x02\x82\x01.", "uses EXT1"),
        (b"\x80\x04\x8e" + eight(2**62) + b"x.", "ends before its data do"),
        (b"\x80\x04\x8e" + eight(2**64 - 1) + b"x.", "ends before its data do"),
        (b"\x80\x04\x8d" + eight(2**40) + b"x.", "ends before its data do"),
        (b"\x80\x05\x96" + eight(2**40) + b"x.", "ends before its data do"),
        (b"\x80\x04\x95" + eight(2**40) + b"N.", "declares 1,099,511,627,776 bytes"),
        (b"\x80\x02Nr\xff\xff\xff\x7f.", "asks for 2,147,483,647 places of memory"),
        (b"\x80\x02" + b"]" * (MAX_INSTRUCTIONS + 1) + b".", "has over 500,000 instructions"),
        (b"\x80\x02)" + b"\x85" * (MAX_TUPLES + 1) + b".", "20,000 tuples"),
        (
            b"\x80\x02" + ARRAY + b"(K\x01J\xff\xff\xff\x7f\x85" + FLOATS + b"\x89U\x04abcdtb.",
            "2,147,483,647 numbers",
        ),
        (
            b"\x80\x02" + ARRAY + b"(K\x01J\xff\xff\xff\xff\x85" + FLOATS + b"\x89U\x04abcdtb.",
            "side that is no number",
        ),
        (b"\x80\x02cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85R.", "in another way than numpy"),
        (b"\x80\x02cnumpy\ndtype\nU\x02O8\x85R.", "something else than numbers"),
        (b"\x80\x02cnumpy\ndtype\n}b.", "tries to change dtype"),
        (
            b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00utf-8\x86R.",
            "encodes text in another way",
        ),
        (b"\x80\x02", "ends before its data do"),
        (b"\x80\x02a.", "broken pickle"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_pickle_of_another_kind_or_size_is_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(CheckpointError, match=sentence):
        read_pickle(content)


def test_one_string_is_not_copied_without_end() -> None:
    text = b"X" + struct.pack("<I", 1000) + b"a" * 1000 + b"q\x00"
    copies = b"c_codecs\nencode\nq\x01" + b"h\x01h\x00X\x06\x00\x00\x00latin1\x86R" * 100

    with pytest.raises(CheckpointError, match="more bytes than the file"):
        read_pickle(b"\x80\x02" + text + copies + b".")


def test_one_buffer_is_not_made_into_arrays_without_end() -> None:
    data = b"T" + struct.pack("<I", 4000) + b"a" * 4000 + b"q\x00" + FLOATS + b"q\x01"
    arrays = (ARRAY + b"(K\x01M\xe8\x03\x85h\x01\x89h\x00tb") * 100

    with pytest.raises(CheckpointError, match="more bytes than the file"):
        read_pickle(b"\x80\x02" + data + arrays + b".")


def test_lists_within_lists_as_deep_as_a_file_may_go_do_no_harm() -> None:
    deep = b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b"."

    assert isinstance(read_pickle(deep), list)


def test_the_gate_lets_through_what_a_writer_of_arrays_uses() -> None:
    content = pickle.dumps({"model": ARRAYS, "__author__": "a name"}, 4)

    used = {instruction.name for instruction, _, _ in pickletools.genops(content)}

    assert {"STACK_GLOBAL", "REDUCE", "BUILD", "FRAME"} <= used
    assert isinstance(read_pickle(content), dict)
