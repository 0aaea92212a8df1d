"""The ranking of sixteen cells at once, in the processor's registers, as `vectors` has it for pixels."""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from service.pipeline.kernels.arithmetic import HALF, LEAST_POWER, LOG2_E, POWERS
from service.pipeline.kernels.vectors import FLOATS, INTEGERS, LANES, START, call, larger, load, splat, store

_PLACE, _NUMBER = ir.IntType(64), ir.IntType(32)
_EXPONENT = 23  # bits below a float32's
_BIAS = 127


def _rank_cells(
    typing: Any,
    planes: Any,
    place: Any,
    values: Any,
    start: Any,
    best: Any,
    firsts: Any,
    seconds: Any,
    thirds: Any,
    shares: Any,
    largest: Any,
) -> Any:
    """Rank the planes at their places from `place` on: the first of the highest, the three highest, and its share.

    Args:
        planes: (C, n), without gaps.
        values: (C, 16) scratch: planes lie a power of two apart, where no cache would keep them for a second look.
        best, firsts, seconds, thirds, shares: flat, written from `start` on; a share is 1 over the sum of
            e**(value - first).
        largest: (16,) of what was ranked so far, the largest of the highest without their signs, and NaN where a
            value was no number; updated.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        array = context.make_array(kinds[0])(context, builder, arguments[0])
        classes, cells = cgutils.unpack_tuple(builder, array.shape, 2)

        lanes = ir.Constant(_PLACE, LANES)
        found = [cgutils.alloca_once_value(builder, _all(float("-inf"))) for _ in range(3)]
        doubts = cgutils.alloca_once_value(builder, _all(0))  # becomes NaN by whatever is no number
        leader = cgutils.alloca_once_value(builder, ir.Constant(INTEGERS, [0] * LANES))
        with cgutils.for_range(builder, classes) as loop:
            at = builder.add(builder.mul(loop.index, cells), arguments[1])
            value = load(context, builder, kinds[0], arguments[0], at, FLOATS)
            store(context, builder, kinds[2], arguments[2], builder.mul(loop.index, lanes), value)
            builder.store(call(builder, "fma", value, _all(0), builder.load(doubts)), doubts)
            _take(builder, value, splat(builder, builder.trunc(loop.index, _NUMBER)), leader, found)
        sums = cgutils.alloca_once_value(builder, _all(0))
        with cgutils.for_range(builder, classes) as loop:
            value = load(context, builder, kinds[2], arguments[2], builder.mul(loop.index, lanes), FLOATS)
            chance = _exponential(builder, builder.fsub(value, builder.load(found[0])))
            builder.store(builder.fadd(builder.load(sums), chance), sums)
        share = builder.fdiv(_all(1), builder.load(sums))
        for number, told in zip(
            range(4, 9), (*(builder.load(each) for each in (leader, *found)), share), strict=True
        ):
            store(context, builder, kinds[number], arguments[number], arguments[3], told)
        known = load(context, builder, kinds[9], arguments[9], START, INTEGERS)
        highest = builder.fadd(builder.load(found[0]), builder.load(doubts))
        store(context, builder, kinds[9], arguments[9], START, _larger_bare(builder, highest, known))
        return context.get_dummy_value()

    written = (best, firsts, seconds, thirds, shares, largest)
    return types.void(planes, types.int64, values, types.int64, *written), build


def _take(builder: Any, value: Any, number: Any, leader: Any, found: list[Any]) -> None:
    """Let one more plane be among the three highest where it is, and the leader where it is the highest."""
    first, second, third = (builder.load(each) for each in found)
    higher = builder.fcmp_ordered(">", value, first)
    builder.store(builder.select(higher, number, builder.load(leader)), leader)
    builder.store(builder.select(higher, value, first), found[0])
    builder.store(larger(builder, second, _smaller(builder, value, first)), found[1])
    builder.store(larger(builder, third, _smaller(builder, value, second)), found[2])


def _larger_bare(builder: Any, value: Any, known: Any) -> Any:
    """The larger without its sign, of bits, whose order is that of the numbers, with NaN above all."""
    bits = builder.bitcast(call(builder, "fabs", value), INTEGERS)
    return builder.select(builder.icmp_signed(">", bits, known), bits, known)


def _exponential(builder: Any, value: Any) -> Any:
    """As `arithmetic.exponential`, to the last bit."""
    power = call(builder, "maxnum", builder.fmul(value, _all(LOG2_E)), _all(LEAST_POWER))
    whole = call(builder, "floor", builder.fadd(power, _all(HALF)))
    rest = builder.fsub(power, whole)
    found = _all(POWERS[-1])
    for factor in POWERS[-2::-1]:
        found = call(builder, "fma", found, rest, _all(factor))
    exponent = builder.add(builder.fptosi(whole, INTEGERS), ir.Constant(INTEGERS, [_BIAS] * LANES))
    bits = builder.shl(exponent, ir.Constant(INTEGERS, [_EXPONENT] * LANES))
    return builder.fmul(found, builder.bitcast(bits, FLOATS))


def _smaller(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered("<", a, b), a, b)


def _all(value: Any) -> Any:
    return ir.Constant(FLOATS, [float(value)] * LANES)


# It is called without the context that its types ask for.
rank_cells: Any = intrinsic(_rank_cells)
