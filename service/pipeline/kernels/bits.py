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


# They are called without the context that their types ask for.
ones: Any = intrinsic(_ones)
lowest: Any = intrinsic(_lowest)
highest: Any = intrinsic(_highest)
