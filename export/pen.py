"""The pen that writes an ONNX graph: nodes and constants, each with a name of its own."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, DTypeLike
from onnx import helper, numpy_helper


class Pen:
    """Writes nodes and constants, and names them."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[tuple[object, ...], onnx.TensorProto] = {}

    def constant(self, value: ArrayLike, kind: DTypeLike) -> str:
        """Name a constant; equal ones are one."""
        array = np.asarray(value, kind)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self.constants:
            self.constants[key] = numpy_helper.from_array(array, f"constant {len(self.constants)}")
        return self.constants[key].name

    def many(self, count: int, operator: str, *inputs: str, **attributes: Any) -> list[str]:
        """Write a node of several outputs."""
        place = len(self.nodes)
        outputs = [f"{operator} {place}.{index}" for index in range(count)]
        name = f"merging {operator} {place}"
        self.nodes.append(helper.make_node(operator, list(inputs), outputs, name=name, **attributes))
        return outputs

    def __call__(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Write a node of one output."""
        return self.many(1, operator, *inputs, **attributes)[0]

    def floats(self, value: ArrayLike) -> str:
        """A float32 constant."""
        return self.constant(value, np.float32)

    def longs(self, value: ArrayLike) -> str:
        """An int64 constant."""
        return self.constant(value, np.int64)

    def ints(self, value: ArrayLike) -> str:
        """An int32 constant."""
        return self.constant(value, np.int32)
