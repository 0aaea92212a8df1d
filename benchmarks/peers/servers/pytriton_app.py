"""Triton through PyTriton: one BYTES tensor in, one out, batched by Triton."""

import sys

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig
from usual import Array, Engine

engine = Engine()


@batch
def infer(data: Array) -> dict[str, Array]:
    """Answer photographs together."""
    answers = engine.handle_batch([row[0] for row in data])
    return {"result": np.array([[answer] for answer in answers], dtype=object)}


def main(port: int) -> None:
    """Serve on a port and the two after it."""
    config = TritonConfig(
        http_address="127.0.0.1", http_port=port, grpc_port=port + 1, metrics_port=port + 2, allow_grpc=False
    )
    with Triton(config=config) as triton:
        triton.bind(
            "panoptic",
            infer,
            [Tensor(name="data", dtype=bytes, shape=(1,))],
            [Tensor(name="result", dtype=bytes, shape=(1,))],
            config=ModelConfig(max_batch_size=8, batcher=DynamicBatcher(max_queue_delay_microseconds=5000)),
        )
        triton.serve()


if __name__ == "__main__":
    main(int(sys.argv[1]))
