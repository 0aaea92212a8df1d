"""Sixteen pixels at once, in vectors that are stated and not left to the compiler to find.

Arrays are read and written without a check: callers know that sixteen values are there. Every lane is computed as
`arithmetic` computes one value, so that results are the same to the last bit.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 16
FLOATS = ir.VectorType(ir.FloatType(), LANES)
INTEGERS = ir.VectorType(ir.IntType(32), LANES)
_CODES = ir.VectorType(ir.IntType(16), LANES)
_SIDE = 4
_LANE = ir.IntType(32)
START = ir.Constant(ir.IntType(64), 0)


def _mix_square(
    typing: Any,
    planes: Any,
    number: Any,
    i: Any,
    j: Any,
    scale: Any,
    across: Any,
    column: Any,
    down: Any,
    row: Any,
    values: Any,
) -> Any:
    """Interpolate a plane between the four cells from row i and column j on.

    Args:
        planes: (C, h, w), without gaps, of which `number` is read.
        across, down: (rest, weight), each (n, 16), of which `column` and `row` are read.
        values: 16 of them without gaps, written row after row.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        weights = _weights(context, builder, kinds[5], arguments[5:9])
        mixed = _interpolated(context, builder, kinds[0], arguments[:4], weights)
        mixed = builder.fmul(mixed, splat(builder, arguments[4]))
        store(context, builder, kinds[9], arguments[9], START, mixed)
        return context.get_dummy_value()

    place = (types.int64, types.uint64, types.uint64)
    return types.void(planes, *place, types.float32, across, types.int64, down, types.int64, values), build


def _lead(
    typing: Any,
    planes: Any,
    lists: Any,
    count: Any,
    i: Any,
    j: Any,
    across: Any,
    column: Any,
    down: Any,
    row: Any,
    numbers: Any,
    codes: Any,
) -> Any:
    """Find which plane is the highest at every pixel, the first of equal ones; other arguments as of `mix_square`.

    All that is known of the pixels stays in the processor's registers until the last plane is seen.

    Args:
        lists: the planes' numbers, `count` of them, at least one; and each one's code.
        numbers, codes: (16,), written: those of the highest plane.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        weights = _weights(context, builder, kinds[5], arguments[5:9])
        lists = [
            context.make_array(kinds[1][0])(context, builder, array).data
            for array in cgutils.unpack_tuple(builder, arguments[1], 2)
        ]
        highest = cgutils.alloca_once_value(builder, ir.Constant(FLOATS, [float("-inf")] * LANES))
        written = [cgutils.alloca_once_value(builder, splat(builder, builder.load(first))) for first in lists]
        with cgutils.for_range(builder, arguments[2]) as loop:
            number, code = (builder.load(builder.gep(listed, [loop.index])) for listed in lists)
            corner = [arguments[0], builder.sext(number, ir.IntType(64)), *arguments[3:5]]
            value, best = _interpolated(context, builder, kinds[0], corner, weights), builder.load(highest)
            higher = builder.fcmp_ordered(">", value, best)
            builder.store(builder.select(higher, value, best), highest)
            for kept, new in zip(written, (number, code), strict=True):
                builder.store(builder.select(higher, splat(builder, new), builder.load(kept)), kept)
        for place, kept in zip((9, 10), written, strict=True):
            store(context, builder, kinds[place], arguments[place], START, builder.load(kept))
        return context.get_dummy_value()

    place = (types.int64, types.uint64, types.uint64)
    weights = (across, types.int64, down, types.int64)
    return types.void(planes, lists, *place, *weights, numbers, codes), build


def _fill(typing: Any, numbers: Any, number: Any) -> Any:
    """Write one number everywhere."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        store(context, builder, signature.args[0], arguments[0], START, splat(builder, arguments[1]))
        return context.get_dummy_value()

    return types.void(numbers, types.int32), build


def _where(typing: Any, numbers: Any, number: Any) -> Any:
    """The places of a number, as bits, lowest first."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        there = load(context, builder, signature.args[0], arguments[0], START, INTEGERS)
        return _bits(builder, builder.icmp_unsigned("==", there, splat(builder, arguments[1])))

    return types.uint32(numbers, types.int32), build


def _differing(typing: Any, here: Any, above: Any, start: Any) -> Any:
    """The places at which codes of two lines differ, from `start` on, as bits, lowest first."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lines = [
            load(context, builder, kind, line, arguments[2], _CODES)
            for kind, line in zip(signature.args[:2], arguments[:2], strict=True)
        ]
        return _bits(builder, builder.icmp_unsigned("!=", *lines))

    return types.uint32(here, above, types.int64), build


def _write_square(typing: Any, codes: Any, y: Any, x: Any, numbers: Any) -> Any:
    """Write four rows of four codes from row y and column x on.

    Args:
        codes: (H, W), without gaps.
        numbers: (16,), below 65536.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        picture = context.make_array(kind)(context, builder, arguments[0])
        width = cgutils.unpack_tuple(builder, picture.shape, 2)[1]
        there = load(context, builder, signature.args[3], arguments[3], START, INTEGERS)
        narrow = builder.trunc(there, _CODES)
        place = builder.add(builder.mul(arguments[1], width), arguments[2])
        for row in range(_SIDE):
            lanes = ir.Constant(ir.VectorType(_LANE, _SIDE), [row * _SIDE + lane for lane in range(_SIDE)])
            part = builder.shuffle_vector(narrow, ir.Constant(_CODES, ir.Undefined), lanes)
            address = builder.bitcast(builder.gep(picture.data, [place]), part.type.as_pointer())
            builder.store(part, address, align=2)
            place = builder.add(place, width)
        return context.get_dummy_value()

    return types.void(codes, types.int64, types.int64, numbers), build


def _mix(builder: Any, low: Any, high: Any, rest: Any, weight: Any) -> Any:
    """As `arithmetic.mix`."""
    return call(builder, "fma", low, rest, builder.fmul(high, weight))


def call(builder: Any, name: str, *values: Any) -> Any:
    """One of LLVM's functions, lane by lane."""
    kind = ir.FunctionType(FLOATS, [FLOATS] * len(values))
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f32")
    return builder.call(function, values)


def larger(builder: Any, a: Any, b: Any) -> Any:
    """The larger ones, lane by lane; where one is no number, b."""
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def _weights(context: Any, builder: Any, kinds: Any, arguments: Any) -> list[Any]:
    """Rest and weight across, rest and weight down: of two pairs of (n, 16), each with its row behind it."""
    found = []
    for pair, number in (arguments[:2], arguments[2:]):
        start = builder.mul(number, ir.Constant(ir.IntType(64), LANES))
        for array in cgutils.unpack_tuple(builder, pair, 2):
            found.append(load(context, builder, kinds[0], array, start, FLOATS))
    return found


def _interpolated(context: Any, builder: Any, kind: Any, place: Any, weights: Any) -> Any:
    """The pixels between four cells.

    Args:
        place: planes, number, row and column.
        weights: rest and weight across, rest and weight down.
    """
    array = context.make_array(kind)(context, builder, place[0])
    _, rows, columns = cgutils.unpack_tuple(builder, array.shape, 3)
    start = builder.add(builder.mul(builder.add(builder.mul(place[1], rows), place[2]), columns), place[3])
    one = ir.Constant(ir.IntType(64), 1)
    below = builder.add(start, columns)
    a, b, c, d = (
        splat(builder, builder.load(builder.gep(array.data, [at])))
        for at in (start, builder.add(start, one), below, builder.add(below, one))
    )
    high, low = (_mix(builder, *pair, *weights[:2]) for pair in ((a, b), (c, d)))
    return _mix(builder, high, low, *weights[2:])


def splat(builder: Any, value: Any) -> Any:
    """A vector of one value."""
    kind = ir.VectorType(value.type, LANES)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(_LANE, 0))
    lanes = ir.Constant(ir.VectorType(_LANE, LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), lanes)


def _bits(builder: Any, lanes: Any) -> Any:
    return builder.zext(builder.bitcast(lanes, ir.IntType(LANES)), ir.IntType(32))


def load(context: Any, builder: Any, kind: Any, array: Any, start: Any, vector: Any) -> Any:
    """A vector of an array, from its element `start` on."""
    return builder.load(
        _address(context, builder, kind, array, start, vector), align=kind.dtype.bitwidth // 8
    )


def store(context: Any, builder: Any, kind: Any, array: Any, start: Any, value: Any) -> None:
    """Write a vector into an array, from its element `start` on."""
    address = _address(context, builder, kind, array, start, value.type)
    builder.store(value, address, align=kind.dtype.bitwidth // 8)


def _address(context: Any, builder: Any, kind: Any, array: Any, start: Any, vector: Any) -> Any:
    """The address of an array's element, as a vector's."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [start]), vector.as_pointer())


# They are called without the context that their types ask for.
mix_square: Any = intrinsic(_mix_square)
lead: Any = intrinsic(_lead)
fill: Any = intrinsic(_fill)
where: Any = intrinsic(_where)
differing: Any = intrinsic(_differing)
write_square: Any = intrinsic(_write_square)
