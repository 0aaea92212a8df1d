"""LitServe with its own batching: decoded, run and encoded in its one worker."""

import sys
from typing import Any, cast

import litserve
import numpy as np
from fastapi import Request, Response
from usual import Array, Engine, Heads


class Panoptic(litserve.LitAPI):
    """The five steps of LitServe; the photograph is normalised before the batch is put together."""

    def setup(self, device: str) -> None:
        """Load the graph, in the worker."""
        self.engine = Engine()

    def decode_request(self, request: Request) -> Array:
        """The part of the form, ready for the graph."""
        # LitServe hands the form over, but only where a Request is declared.
        form = cast(Any, request)
        return self.engine.prepare(form["image"].file.read())

    def batch(self, inputs: list[Array]) -> Array:
        """Put together what has come within the wait."""
        return np.stack(inputs)

    def predict(self, batch: Array) -> list[Heads]:
        """Run it."""
        return self.engine.run(batch)

    def unbatch(self, output: list[Heads]) -> list[Heads]:
        """It is in rows already."""
        return output

    def encode_response(self, heads: Heads) -> Response:
        """Write one answer."""
        return Response(self.engine.finish(heads), media_type="application/json")


if __name__ == "__main__":
    api = Panoptic(max_batch_size=8, batch_timeout=0.005)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
