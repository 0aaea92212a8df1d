"""Ray Serve: one replica that batches."""

import os
import signal
import sys
from typing import Any

import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import Response
from usual import Engine


@serve.deployment(num_replicas=1, max_ongoing_requests=64)
class Panoptic:
    """The replica."""

    def __init__(self) -> None:
        self.engine = Engine()

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=0.005)
    async def answer(self, items: list[bytes]) -> list[bytes]:
        """Answer photographs together."""
        return self.engine.handle_batch(items)

    async def __call__(self, request: Request) -> Response:
        """Answer one photograph."""
        return Response(await self.answer(await request.body()), media_type="application/json")


if __name__ == "__main__":
    ray.init(
        num_cpus=os.cpu_count(),
        include_dashboard=False,
        object_store_memory=200 * 2**20,
        runtime_env={"env_vars": {key: os.environ[key] for key in ("PEERS_TASK", "PYTHONPATH")}},
    )
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    deployment: Any = Panoptic  # the decorator makes it one
    serve.run(deployment.bind(), route_prefix="/predict")
    signal.sigwait([signal.SIGTERM, signal.SIGINT])
    serve.shutdown()
    ray.shutdown()
