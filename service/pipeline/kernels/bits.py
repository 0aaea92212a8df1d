"""Sets of up to 32 places as bits of a number, lowest first; every function is some instructions of the processor.

Those that take an array look at as many places as they tell, without a check: the callers know that they are there.
"""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic


def _ones(typing: Any, bits: Any) -> Any:
    """How many are in the set."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint32(types.uint32), build


def _lowest(typing: Any, bits: Any) -> Any:
    """The first place of a set that has one."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint32(types.uint32), build


def _highest(typing: Any, bits: Any) -> Any:
    """The last place of a set that has one."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zeros = builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 1))
        return builder.sub(ir.Constant(ir.IntType(32), 31), zeros)

    return types.uint32(types.uint32), build


def _differing(typing: Any, here: Any, above: Any, start: Any) -> Any:
    """The places at which 16 codes of two lines differ, from `start` on."""
    vector = ir.VectorType(ir.IntType(16), 16)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        loaded = [
            builder.load(_place(context, builder, kind, line, arguments[2], vector), align=2)
            for kind, line in zip(signature.args[:2], arguments[:2], strict=True)
        ]
        bits = builder.bitcast(builder.icmp_unsigned("!=", *loaded), ir.IntType(16))
        return builder.zext(bits, ir.IntType(32))

    return types.uint32(here, above, types.int64), build


def _equal(typing: Any, values: Any, value: Any) -> Any:
    """The places at which the first 16 values are this one."""
    vector = ir.VectorType(ir.IntType(32), 16)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        start = ir.Constant(ir.IntType(64), 0)
        place = _place(context, builder, signature.args[0], arguments[0], start, vector)
        wanted = ir.Constant(vector, ir.Undefined)
        for lane in range(16):
            wanted = builder.insert_element(wanted, arguments[1], ir.Constant(ir.IntType(32), lane))
        bits = builder.bitcast(
            builder.icmp_unsigned("==", builder.load(place, align=4), wanted), ir.IntType(16)
        )
        return builder.zext(bits, ir.IntType(32))

    return types.uint32(values, types.int32), build


def _write_word(typing: Any, written: Any, place: Any, word: Any) -> Any:
    """Write 8 bytes, the lowest first, at any place of an array of bytes."""
    integer = ir.IntType(64)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(
            arguments[2],
            _place(context, builder, signature.args[0], arguments[0], arguments[1], integer),
            align=1,
        )
        return context.get_dummy_value()

    return types.void(written, types.int64, types.uint64), build


def _place(context: Any, builder: Any, kind: Any, array: Any, start: Any, wanted: Any) -> Any:
    """The address of an array's element, as one of another type."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [start]), wanted.as_pointer())


# They are called without the context that their types ask for.
ones: Any = intrinsic(_ones)
lowest: Any = intrinsic(_lowest)
highest: Any = intrinsic(_highest)
differing: Any = intrinsic(_differing)
equal: Any = intrinsic(_equal)
write_word: Any = intrinsic(_write_word)
