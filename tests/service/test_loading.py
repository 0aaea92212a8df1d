"""Loading: one model takes another's place, and whoever began with the old one finishes with it."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from model.bundle import Bundle, BundleError, read_bundle, write_manifest
from service.http.problems import Problem
from service.http.readiness import Readiness
from service.loading import Loading
from service.metrics import Metrics
from service.pipeline.predictor import Predictor


class Fake:
    """As much of a predictor as loading sees."""

    def __init__(self, bundle: Bundle, real: Predictor) -> None:
        self.bundle, self.manifest = bundle, bundle.manifest
        self.backend, self.choice, self.batcher = real.backend, real.choice, real.batcher
        self.closed = False

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def link(toy: Bundle, tmp_path: Path) -> Path:
    """A link that leads to a copy of the toy bundle."""
    shutil.copytree(toy.path, tmp_path / "one")
    shutil.copytree(toy.path, tmp_path / "two")
    other = read_bundle(tmp_path / "two")
    write_manifest(other.path, other.manifest.model_copy(update={"version": "2.0"}))
    link = tmp_path / "current"
    link.symlink_to("one")
    return link


def turn(link: Path, target: str) -> None:
    link.unlink()
    link.symlink_to(target)


@pytest.fixture
def loading(link: Path, predictor: Predictor) -> Loading:
    def open_(bundle: Bundle) -> Any:
        return Fake(bundle, predictor)

    return Loading(Readiness(Metrics()), link, open_)


def serving(loading: Loading) -> Any:
    return loading.readiness.require()


def reloads(loading: Loading, result: str) -> float | None:
    registry = loading.readiness.metrics.registry
    return registry.get_sample_value("panoptic_reloads_total", {"result": result})


async def load(loading: Loading) -> Any:
    await loading.first(read_bundle(loading.path), None)
    return serving(loading)


def test_a_new_bundle_takes_the_old_ones_place(loading: Loading, link: Path) -> None:
    async def live() -> None:
        old = await load(loading)
        turn(link, "two")
        await loading.reload()
        await loading.close()
        assert (old.closed, old.manifest.version) == (True, "1.0")

    asyncio.run(live())

    assert serving(loading).manifest.version == "2.0"
    assert reloads(loading, "swapped") == 1
    text = loading.readiness.metrics.text().decode()
    assert 'bundle="toy-2.0"' in text
    assert 'bundle="toy-1.0"' not in text


def test_the_old_one_is_open_until_its_last_request_is_done(loading: Loading, link: Path) -> None:
    async def live() -> None:
        old = await load(loading)
        with loading.readiness.leases.taken(old):
            turn(link, "two")
            await loading.reload()
            await asyncio.sleep(0.05)
            assert not old.closed
            assert loading.readiness.working() == {old, serving(loading)}
        await loading.close()
        assert old.closed

    asyncio.run(live())


def test_the_same_bundle_is_not_loaded_twice(loading: Loading) -> None:
    async def live() -> None:
        old = await load(loading)
        await loading.reload()
        assert serving(loading) is old

    asyncio.run(live())

    assert reloads(loading, "same") == 1


@pytest.mark.parametrize(
    "broken", ["nowhere", "two"], ids=["a link to nowhere", "a bundle that does not open"]
)
def test_a_bundle_that_fails_leaves_the_old_one(
    broken: str, loading: Loading, link: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def live() -> None:
        old = await load(loading)
        turn(link, broken)

        def refuse(bundle: Bundle) -> Predictor:
            raise BundleError("it fails its self-test")

        loading.open = refuse
        await loading.reload()
        assert serving(loading) is old

    asyncio.run(live())

    assert reloads(loading, "kept") == 1
    assert "toy 1.0" in caplog.text
    assert "goes on serving" in caplog.text


def test_a_lame_duck_serves_and_is_not_ready(loading: Loading) -> None:
    asyncio.run(load(loading))
    readiness = loading.readiness

    readiness.leave()

    assert readiness.closing
    assert readiness.serving() is readiness.predictor
    with pytest.raises(Problem, match="about to stop"):
        readiness.require()


def test_a_lost_engine_stays_lost(loading: Loading) -> None:
    asyncio.run(load(loading))
    readiness = loading.readiness

    readiness.lose("It hangs.")
    readiness.leave()
    readiness.stop()

    for ask in (readiness.require, readiness.serving, readiness.check_alive):
        with pytest.raises(Problem, match="It hangs") as caught:
            ask()
        assert caught.value.name == "engine-lost"
    assert 'panoptic_model_state{state="lost"} 1.0' in readiness.metrics.text().decode()
