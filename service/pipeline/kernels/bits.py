"""Sets of up to 32 places as bits of a number, lowest first; every function is an instruction of the processor."""

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


def _write_word(typing: Any, written: Any, place: Any, word: Any) -> Any:
    """Write 8 bytes, the lowest first, at any place of an array of bytes."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.gep(data, [arguments[1]])
        builder.store(arguments[2], builder.bitcast(address, ir.IntType(64).as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(written, types.int64, types.uint64), build


# They are called without the context that their types ask for.
ones: Any = intrinsic(_ones)
lowest: Any = intrinsic(_lowest)
highest: Any = intrinsic(_highest)
write_word: Any = intrinsic(_write_word)
