"""float32 arithmetic in the reference's order and rounding."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from service.pipeline.kernels.compiler import inner

LOG2_E = np.float32(1.4426950408889634)
HALF = np.float32(0.5)
LEAST_POWER = np.float32(-126)  # the smallest power of two that is no denormal number
# Of 2**x for x in -0.5 to 0.5, lowest first: the Taylor series in log(2), 2e-7 off at most.
POWERS = tuple(
    np.float32(value)
    for value in (1, 0.6931472, 0.2402265, 0.05550411, 0.009618129, 0.0013333558, 0.00015403530)
)
_P0, _P1, _P2, _P3, _P4, _P5, _P6 = POWERS


def _fused(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Round a * b + c once, as torch's kernels do where the processor can."""
    single = types.float32

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return single(single, single, single), build


def _larger(typing: Any, a: Any, b: Any) -> Any:
    """The larger of two numbers, where one is kept in place of the other.

    Of a comparison LLVM makes a store of some lanes alone, for which AMD's processors take many times as long.
    """
    single = types.float32

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.FloatType(), [ir.FloatType()] * 2)
        return builder.call(
            cgutils.get_or_insert_function(builder.module, kind, "llvm.maxnum.f32"), arguments
        )

    return single(single, single), build


def _power_of_two(typing: Any, whole: Any) -> Any:
    """2**whole, for a float32 that is whole and in -126 to 127."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        integer = ir.IntType(32)
        exponent = builder.add(builder.fptosi(arguments[0], integer), ir.Constant(integer, 127))
        return builder.bitcast(builder.shl(exponent, ir.Constant(integer, 23)), ir.FloatType())

    return types.float32(types.float32), build


# They are called without the context that their types ask for.
fused: Any = intrinsic(_fused)
larger: Any = intrinsic(_larger)
power_of_two: Any = intrinsic(_power_of_two)


@inner
def mix(low: np.float32, high: np.float32, rest: np.float32, weight: np.float32) -> np.float32:
    """Linear interpolation between two values: low * rest + high * weight, rest = 1 - weight."""
    return fused(low, rest, high * weight)


@inner
def exponential(value: np.float32) -> np.float32:
    """e**value for values up to 0, 2e-6 off at most; without a call, so that loops of it become vectors."""
    power = max(value * LOG2_E, LEAST_POWER)
    whole = np.floor(power + HALF)
    x = power - whole
    high = fused(fused(fused(_P6, x, _P5), x, _P4), x, _P3)
    return fused(fused(fused(high, x, _P2), x, _P1), x, _P0) * power_of_two(whole)
