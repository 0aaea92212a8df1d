"""An engine that fails: the guilty photograph alone gets an error, and the others in its batch their answers."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest

from model.bundle import Bundle
from service.backends import Heads, Pictures
from service.pipeline.predictor import Predictor
from tests.service.conftest import Encode, Serve
from tests.service.http.conftest import URL, Held, problem
from tests.service.toy import BUCKETS, BUILDING, PERSON, ROAD, SKY, Thing, paint

GUILTY = 7  # red of the guilty picture's first pixel


class Failing(Held):
    """A held backend that cannot bear one picture."""

    def __init__(self, bundle: Bundle, *, raises: bool) -> None:
        super().__init__(bundle)
        self.raises = raises
        self.batches: list[int] = []

    def run(self, batch: Pictures) -> Heads:
        self.batches.append(len(batch))
        heads = super().run(batch)
        guilty = batch[:, 0, 0, 0] == GUILTY
        if self.raises and guilty.any():
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        semantic = heads.semantic.copy()
        semantic[guilty, 0, 0, 0] = np.nan
        return Heads(semantic, heads.center, heads.offset)


@pytest.mark.parametrize(("raises", "kind"), [(True, "error"), (False, "not_finite")])
def test_only_the_guilty_photograph_of_a_batch_is_an_error(
    raises: bool, kind: str, toy: Bundle, serve: Serve, encode: Encode
) -> None:
    engine = Failing(toy, raises=raises)
    predictor = Predictor(toy, engine, max_batch=4, max_queue=8, max_pixels=1_000_000)
    for size in predictor.batch_sizes:
        predictor.pace.learn((*BUCKETS[0], 3), size, 0.5)  # four take as long as one, so they leave together
    client = serve(predictor=predictor)
    scenes = [paint((stuff, ROAD), [Thing(PERSON, 40, 40, 16, 40)], BUCKETS[0]) for stuff in (SKY, BUILDING)]
    guilty = paint((SKY, BUILDING), [], BUCKETS[0])
    guilty[0, 0, 0] = GUILTY
    first = paint((ROAD,), [], BUCKETS[0])
    with ThreadPoolExecutor(4) as pool:
        sent = [pool.submit(client.post, URL, content=encode(first))]
        assert engine.entered.wait(30)
        sent += [
            pool.submit(client.post, URL, content=encode(each)) for each in (scenes[0], guilty, scenes[1])
        ]
        while 'panoptic_queue_depth{priority="interactive"} 3.0' not in client.get("/metrics").text:
            time.sleep(0.01)
        engine.free.set()
        answers = [future.result() for future in sent]

    assert [answer.status_code for answer in answers] == [200, 200, 500, 200]
    content = problem(answers[2], 500, "engine-failed")
    assert "CUDA" not in answers[2].text
    assert str(content["instance"]) in str(content["detail"])
    assert f'panoptic_engine_failures_total{{kind="{kind}"}} 1.0' in client.get("/metrics").text
    assert max(engine.batches) == 4


def test_a_photograph_that_failed_is_answered_when_it_is_sent_again(
    held_client: httpx.Client, held: Held, scene: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.free.set()
    with monkeypatch.context() as patched:
        patched.setattr(held, "run", lambda batch: 1 // 0)
        failed = held_client.post(URL, content=scene)

    assert (failed.status_code, held_client.post(URL, content=scene).status_code) == (500, 200)
