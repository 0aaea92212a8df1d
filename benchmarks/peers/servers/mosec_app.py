"""Mosec with its usual three stages: decoding, the model in batches, encoding; each a process."""

import mosec
import numpy as np
from usual import Array, Engine, Heads


class Decode(mosec.Worker):
    """Bytes to what the graph takes."""

    def __init__(self) -> None:
        self.engine = Engine()

    def deserialize(self, data: bytes) -> bytes:
        """The body as it came."""
        return data

    def forward(self, data: bytes) -> Array:
        """Decode and normalise."""
        return self.engine.prepare(data)


class Infer(mosec.Worker):
    """The graph."""

    def __init__(self) -> None:
        self.engine = Engine()

    def forward(self, data: list[Array]) -> list[Heads]:
        """Run a batch."""
        return self.engine.run(np.stack(data))


class Encode(mosec.Worker):
    """Heads to the answer."""

    def __init__(self) -> None:
        self.engine = Engine()

    def forward(self, data: Heads) -> bytes:
        """Merge and write."""
        return self.engine.finish(data)

    def serialize(self, data: bytes) -> bytes:
        """The answer as it is."""
        return data


if __name__ == "__main__":
    server = mosec.Server()
    server.append_worker(Decode, num=1)
    server.append_worker(Infer, num=1, max_batch_size=8, max_wait_time=5)
    server.append_worker(Encode, num=1)
    server.run()
