"""Fetching: a plane's cells brought to those of the other planes, and their highest found on the way."""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from service.pipeline.kernels.vectors import FLOATS, LANES, larger, load, store

_PLACE, _LANE = ir.IntType(64), ir.IntType(32)


def _fetch(typing: Any, planes: Any, number: Any, first: Any, run: Any, peaks: Any, at: Any) -> Any:
    """Copy as many cells of a plane as a run has, from `first` on, and write down the highest.

    Args:
        planes: (C, n), without gaps, of which `number` is read.
        run: (C, m), m at least 16, of which `number` is written.
        peaks: (R, C), written at `at` and `number`.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        plane = context.make_array(kinds[0])(context, builder, arguments[0])
        there = context.make_array(kinds[3])(context, builder, arguments[3])
        cells = cgutils.unpack_tuple(builder, plane.shape, 2)[1]
        width = cgutils.unpack_tuple(builder, there.shape, 2)[1]
        source = builder.add(builder.mul(arguments[1], cells), arguments[2])
        target = builder.mul(arguments[1], width)
        last = builder.sub(width, ir.Constant(_PLACE, LANES))
        highest = cgutils.alloca_once_value(builder, ir.Constant(FLOATS, [float("-inf")] * LANES))
        lanes = ir.Constant(_PLACE, LANES)
        steps = builder.udiv(builder.add(width, ir.Constant(_PLACE, LANES - 1)), lanes)
        with cgutils.for_range(builder, steps) as loop:
            step = builder.mul(loop.index, lanes)
            step = builder.select(builder.icmp_signed("<", step, last), step, last)
            value = load(context, builder, kinds[0], arguments[0], builder.add(source, step), FLOATS)
            store(context, builder, kinds[3], arguments[3], builder.add(target, step), value)
            builder.store(larger(builder, value, builder.load(highest)), highest)
        table = context.make_array(kinds[4])(context, builder, arguments[4])
        classes = cgutils.unpack_tuple(builder, table.shape, 2)[1]
        place = builder.add(builder.mul(arguments[5], classes), arguments[1])
        builder.store(_highest(builder, builder.load(highest)), builder.gep(table.data, [place]))
        return context.get_dummy_value()

    return types.void(planes, types.int64, types.int64, run, peaks, types.int64), build


def _highest(builder: Any, value: Any) -> Any:
    """The highest lane of a vector: half of them against the other half, until one is left."""
    count = LANES
    while count > 1:
        count //= 2
        halves = (
            builder.shuffle_vector(
                value,
                ir.Constant(value.type, ir.Undefined),
                ir.Constant(ir.VectorType(_LANE, count), [start + lane for lane in range(count)]),
            )
            for start in (0, count)
        )
        value = larger(builder, *halves)
    return builder.extract_element(value, ir.Constant(_LANE, 0))


# It is called without the context that its types ask for.
fetch: Any = intrinsic(_fetch)
