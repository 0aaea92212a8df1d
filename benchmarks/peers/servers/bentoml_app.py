"""BentoML: a batchable service behind the one that callers see, as its page on adaptive batching composes them."""

from pathlib import Path
from typing import Annotated

import bentoml
from bentoml.validators import ContentType
from usual import Engine

TRAFFIC = {"timeout": 60}


@bentoml.service(workers=1, traffic=TRAFFIC)
class Batched:
    """The engine; BentoML puts its calls together."""

    def __init__(self) -> None:
        self.engine = Engine()

    @bentoml.api(batchable=True, max_batch_size=8, max_latency_ms=60_000)
    def predict(self, images: list[bytes]) -> list[bytes]:
        """Answer photographs together."""
        return self.engine.handle_batch(images)


@bentoml.service(workers=1, traffic=TRAFFIC)
class Panoptic:
    """The door."""

    batched = bentoml.depends(Batched)

    @bentoml.api
    async def predict(
        self, image: Annotated[Path, ContentType("image/jpeg")]
    ) -> Annotated[bytes, ContentType("application/json")]:
        """Answer one photograph."""
        answers: list[bytes] = await self.batched.to_async.predict([image.read_bytes()])
        return answers[0]
