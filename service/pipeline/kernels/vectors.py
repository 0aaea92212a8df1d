"""Sixteen pixels at once, in vectors that are stated and not left to the compiler to find.

Arrays are read and written without a check: callers know that sixteen values are there. Every lane is computed as
`arithmetic` computes one value, so that results are the same to the last bit.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 16
_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_INTEGERS = ir.VectorType(ir.IntType(32), LANES)
_CODES = ir.VectorType(ir.IntType(16), LANES)
_SIDE = 4
_LANE = ir.IntType(32)


def _mix_square(
    typing: Any, corners: Any, scale: Any, across: Any, column: Any, down: Any, row: Any, values: Any
) -> Any:
    """Interpolate between four corners: a tuple of top left, top right, bottom left and bottom right.

    Args:
        across, down: (rest, weight), each (n, 16), of which `column` and `row` are read.
        values: (16,), written.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        a, b, c, d = (_splat(builder, value) for value in cgutils.unpack_tuple(builder, arguments[0], 4))

        def weights(place: int) -> list[Any]:
            pair = cgutils.unpack_tuple(builder, arguments[place], 2)
            start = builder.mul(arguments[place + 1], ir.Constant(ir.IntType(64), LANES))
            return [_load(context, builder, kinds[place][0], array, start, _FLOATS) for array in pair]

        across_rest, across_weight = weights(2)
        down_rest, down_weight = weights(4)
        high = _mix(builder, a, b, across_rest, across_weight)
        low = _mix(builder, c, d, across_rest, across_weight)
        mixed = builder.fmul(_mix(builder, high, low, down_rest, down_weight), _splat(builder, arguments[1]))
        _store(context, builder, kinds[6], arguments[6], mixed)
        return context.get_dummy_value()

    signature = types.void(corners, types.float32, across, types.int64, down, types.int64, values)
    return signature, build


def _raise(typing: Any, values: Any, best: Any, classes: Any, number: Any) -> Any:
    """Where a value is higher than the best one, make it the best one, and the number its class."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        start = ir.Constant(ir.IntType(64), 0)
        kinds = (_FLOATS, _FLOATS, _INTEGERS)
        value, highest, labels = (
            _load(context, builder, signature.args[place], arguments[place], start, kind)
            for place, kind in enumerate(kinds)
        )
        higher = builder.fcmp_ordered(">", value, highest)
        labels = builder.select(higher, _splat(builder, arguments[3]), labels)
        _store(context, builder, signature.args[1], arguments[1], builder.select(higher, value, highest))
        _store(context, builder, signature.args[2], arguments[2], labels)
        return context.get_dummy_value()

    return types.void(values, best, classes, types.int32), build


def _fill(typing: Any, numbers: Any, number: Any) -> Any:
    """Write one number everywhere."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _store(context, builder, signature.args[0], arguments[0], _splat(builder, arguments[1]))
        return context.get_dummy_value()

    return types.void(numbers, types.int32), build


def _replace(typing: Any, codes: Any, classes: Any, number: Any, code: Any) -> Any:
    """Where a class has this number, write the code."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        start = ir.Constant(ir.IntType(64), 0)
        there, labels = (
            _load(context, builder, signature.args[place], arguments[place], start, _INTEGERS)
            for place in (0, 1)
        )
        alike = builder.icmp_unsigned("==", labels, _splat(builder, arguments[2]))
        replaced = builder.select(alike, _splat(builder, arguments[3]), there)
        _store(context, builder, signature.args[0], arguments[0], replaced)
        return context.get_dummy_value()

    return types.void(codes, classes, types.int32, types.int32), build


def _where(typing: Any, numbers: Any, number: Any) -> Any:
    """The places of a number, as bits, lowest first."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        start = ir.Constant(ir.IntType(64), 0)
        there = _load(context, builder, signature.args[0], arguments[0], start, _INTEGERS)
        return _bits(builder, builder.icmp_unsigned("==", there, _splat(builder, arguments[1])))

    return types.uint32(numbers, types.int32), build


def _differing(typing: Any, here: Any, above: Any, start: Any) -> Any:
    """The places at which codes of two lines differ, from `start` on, as bits, lowest first."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lines = [
            _load(context, builder, kind, line, arguments[2], _CODES)
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
        start = ir.Constant(ir.IntType(64), 0)
        there = _load(context, builder, signature.args[3], arguments[3], start, _INTEGERS)
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
    kind = ir.FunctionType(_FLOATS, [_FLOATS] * 3)
    fused = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32")
    return builder.call(fused, [low, rest, builder.fmul(high, weight)])


def _splat(builder: Any, value: Any) -> Any:
    kind = ir.VectorType(value.type, LANES)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(_LANE, 0))
    lanes = ir.Constant(ir.VectorType(_LANE, LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), lanes)


def _bits(builder: Any, lanes: Any) -> Any:
    return builder.zext(builder.bitcast(lanes, ir.IntType(LANES)), ir.IntType(32))


def _load(context: Any, builder: Any, kind: Any, array: Any, start: Any, vector: Any) -> Any:
    return builder.load(
        _address(context, builder, kind, array, start, vector), align=kind.dtype.bitwidth // 8
    )


def _store(context: Any, builder: Any, kind: Any, array: Any, value: Any) -> None:
    address = _address(context, builder, kind, array, ir.Constant(ir.IntType(64), 0), value.type)
    builder.store(value, address, align=kind.dtype.bitwidth // 8)


def _address(context: Any, builder: Any, kind: Any, array: Any, start: Any, vector: Any) -> Any:
    """The address of an array's element, as a vector's."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [start]), vector.as_pointer())


# They are called without the context that their types ask for.
mix_square: Any = intrinsic(_mix_square)
raise_best: Any = intrinsic(_raise)
fill: Any = intrinsic(_fill)
replace: Any = intrinsic(_replace)
where: Any = intrinsic(_where)
differing: Any = intrinsic(_differing)
write_square: Any = intrinsic(_write_square)
