"""The walk: painted scenes come back as they were painted, and the self-test tells a sound model from a broken one."""

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.bundle import Bundle, BundleError
from service.backends import Backend, Gpu, Heads, Pictures, open_backend
from service.pipeline.images import read_photograph
from service.pipeline.panoptic import Panoptic
from service.pipeline.pool import Pool
from service.pipeline.predictor import Predictor
from service.pipeline.proof import prove_golden
from tests.service.conftest import Encode, photograph
from tests.service.toy import BUCKETS, BUILDING, CAR, PERSON, ROAD, SKY, Thing, golden_scene, paint, write_toy


class Broken:
    """A backend that has one answer to everything."""

    name, device, precision, lanes, gpu = "broken", "cpu", "fp32", 1, None

    def __init__(self, heads: Heads):
        self._heads = heads

    def run(self, batch: Pictures) -> Heads:
        return self._heads

    def close(self) -> None:
        pass


class Crooked:
    """A backend whose last row of a full batch comes out wrong, and that takes as long for one picture as for four."""

    name, device, precision, lanes, gpu = "crooked", "cpu", "fp32", 1, None

    def __init__(self, backend: Backend):
        self._backend = backend

    def run(self, batch: Pictures) -> Heads:
        time.sleep(0.1)
        heads = self._backend.run(batch)
        if len(batch) > 1:
            heads.semantic[-1] = heads.semantic[-1, ::-1]
        return heads

    def close(self) -> None:
        self._backend.close()


def open_toy(bundle: Bundle, backend: Backend | None = None) -> Predictor:
    backend = backend or open_backend(bundle, threads=1)
    return Predictor(bundle, backend, max_batch=4, max_queue=8, max_pixels=1_000_000)


def walk(predictor: Predictor, data: bytes) -> Panoptic:
    prepared = predictor.prepare(data)
    return predictor.finish(prepared, predictor.submit(prepared).result(timeout=30))[0]


@pytest.fixture
def golden_toy(predictor: Predictor, encode: Encode, tmp_path: Path) -> Bundle:
    return write_toy(tmp_path / "golden", golden=walk(predictor, encode(golden_scene())).ids)


@pytest.fixture
def opened() -> Iterator[list[Predictor]]:
    predictors: list[Predictor] = []
    yield predictors
    for predictor in predictors:
        predictor.close()


def test_a_painted_scene_comes_back_as_it_was_painted(predictor: Predictor, encode: Encode) -> None:
    things = [Thing(CAR, 8, 56, 32, 24), Thing(CAR, 48, 56, 32, 24), Thing(PERSON, 96, 40, 16, 40)]

    found = walk(predictor, encode(paint((SKY, BUILDING, ROAD), things, BUCKETS[0])))

    assert sorted(segment.label for segment in found.segments) == [
        "building", "car", "car", "person", "road", "sky",
    ]  # fmt: skip
    for thing in things:
        inside = found.ids[thing.y + 4 : thing.y + thing.height - 4, thing.x + 4 : thing.x + thing.width - 4]
        assert len(np.unique(inside)) == 1
        segment = next(segment for segment in found.segments if segment.id == inside[0, 0])
        assert segment.class_index == thing.index
        assert segment.bbox == pytest.approx((thing.x, thing.y, thing.width, thing.height), abs=2)
        middle = (thing.x + thing.width / 2, thing.y + thing.height / 2)
        assert segment.center == pytest.approx(middle, abs=2.5)


def test_stripes_of_stuff_come_back_to_the_pixel(predictor: Predictor, encode: Encode) -> None:
    found = walk(predictor, encode(paint((SKY, BUILDING, ROAD), [], BUCKETS[0])))

    assert [segment.bbox for segment in found.segments] == [
        (0, 64, 128, 32),
        (0, 32, 128, 32),
        (0, 0, 128, 32),
    ]


def test_the_class_of_index_0_is_not_void(predictor: Predictor, encode: Encode) -> None:
    found = walk(predictor, encode(paint((ROAD,), [], BUCKETS[0])))

    assert (found.ids == 1).all()
    assert found.segments[0].category_id == 7


def test_a_photograph_of_any_shape_is_answered_at_its_own_size(predictor: Predictor, encode: Encode) -> None:
    for size in ((1, 1), (3, 700), (700, 3), (333, 217)):
        assert walk(predictor, encode(paint((SKY, ROAD), [], size))).ids.shape == size


def test_the_network_sees_the_same_whatever_answer_is_asked_for(predictor: Predictor, encode: Encode) -> None:
    data = encode(Image.open(photograph("china.jpg")), "JPEG")  # 640 x 427, to be reduced for 85 x 128

    plain, to_be_shown = (predictor.prepare(data, keep_photograph=keep) for keep in (False, True))

    assert np.array_equal(plain.picture, to_be_shown.picture)
    assert plain.sizes.output == (427, 640)


def test_an_overlay_shows_the_whole_photograph_where_the_network_saw_a_reduced_one(
    predictor: Predictor, encode: Encode
) -> None:
    data = encode(Image.open(photograph("china.jpg")), "JPEG")

    shown = predictor.prepare(data, keep_photograph=True).shown

    assert shown is not None
    assert np.array_equal(shown, read_photograph(data, max_pixels=1_000_000).pixels)


def test_photographs_in_one_batch_get_the_answers_they_get_alone(
    predictor: Predictor, encode: Encode
) -> None:
    scenes = [encode(paint((SKY, BUILDING), [Thing(CAR, x, 56, 32, 24)], BUCKETS[0])) for x in (8, 40, 72)]
    alone = [walk(predictor, scene).ids for scene in scenes]

    prepared = [predictor.prepare(scene) for scene in scenes]
    futures = [predictor.submit(each) for each in prepared]
    together = [
        predictor.finish(each, future.result(timeout=30))[0].ids
        for each, future in zip(prepared, futures, strict=True)
    ]

    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


def test_a_sound_bundle_proves_itself(golden_toy: Bundle, opened: list[Predictor]) -> None:
    opened.append(open_toy(golden_toy))

    opened[0].prove()

    assert opened[0].batch_sizes == (1, 2, 4)


def test_a_bundle_that_answers_otherwise_than_its_golden_is_refused(
    tmp_path: Path, opened: list[Predictor]
) -> None:
    opened.append(open_toy(write_toy(tmp_path / "wrong", golden=np.ones(BUCKETS[0], np.int32))))

    with pytest.raises(BundleError, match=r"fails its self-test: row 1 of 1 of golden\.png"):
        opened[0].prove()


def test_an_engine_whose_heads_are_no_numbers_fails_the_self_test(
    golden_toy: Bundle, opened: list[Predictor]
) -> None:
    opened.append(open_toy(golden_toy))
    cells = opened[0].backend.run(np.zeros((1, *BUCKETS[0], 3), np.uint8))
    unsound = Heads(cells.semantic, cells.center * np.float32(np.nan), cells.offset)
    engine = Broken(unsound)

    with pytest.raises(BundleError, match=r"self-test by golden\.png: .* values of the head center as NaN"):
        prove_golden(golden_toy, engine, golden_toy.manifest.goldens[0], 1)


def test_an_engine_that_is_wrong_in_one_row_of_a_batch_is_refused(
    golden_toy: Bundle, opened: list[Predictor]
) -> None:
    opened.append(open_toy(golden_toy, Crooked(open_backend(golden_toy, threads=1))))

    with pytest.raises(BundleError, match="row 4 of 4"):
        opened[0].prove()


def test_a_divisor_whose_ids_no_png_holds_is_refused(toy: Bundle) -> None:
    merging = toy.manifest.merging.model_copy(update={"label_divisor": 1 << 23})
    manifest = toy.manifest.model_copy(update={"merging": merging})
    backend = open_backend(toy, threads=1)

    with pytest.raises(BundleError, match="smaller divisor"):
        open_toy(toy.model_copy(update={"manifest": manifest}), backend)

    backend.close()


def test_once_closed_it_goes_with_the_last_that_refers_to_it(toy: Bundle) -> None:
    gc.disable()  # which doesn't look at what a server had frozen either
    try:
        predictor = open_toy(toy)
        walk(predictor, photograph("china.jpg").read_bytes())
        predictor.close()
        still = [weakref.ref(part) for part in (predictor, predictor.backend, predictor.batcher)]
        del predictor
        assert [part() for part in still] == [None, None, None]
    finally:
        gc.enable()


class Named:
    """A backend that remembers in which threads it ran."""

    name, device, precision = "named", "cpu", "fp32"

    def __init__(self, backend: Backend, lanes: int, gpu: Gpu | None):
        self._backend, self.lanes, self.gpu = backend, lanes, gpu
        self.threads: list[str] = []

    def run(self, batch: Pictures) -> Heads:
        self.threads.append(threading.current_thread().name)
        return self._backend.run(batch)

    def close(self) -> None:
        self._backend.close()


@pytest.mark.parametrize(
    ("lanes", "workers", "on_gpu", "expected"),
    [(2, 2, False, "worker"), (2, 1, False, "engine"), (1, 2, False, "engine"), (2, 2, True, "engine")],
    ids=["quick", "too few workers", "slow", "on a GPU"],
)
def test_batches_of_a_quick_engine_on_the_processor_run_in_the_workers(
    lanes: int, workers: int, on_gpu: bool, expected: str, toy: Bundle, encode: Encode
) -> None:
    gpu = Gpu() if on_gpu else None
    backend = Named(open_backend(toy, threads=1), lanes, gpu)
    with Pool(workers, "worker") as pool:
        predictor = Predictor(toy, backend, max_batch=1, max_queue=8, max_pixels=1_000_000, pool=pool)
        for _ in range(3):
            walk(predictor, encode(golden_scene()))
        predictor.close()

        assert pool.submit(divmod, 7, 2).result(10) == (3, 1)  # it is its owner's
    assert {name.partition(" ")[0] for name in backend.threads} == {expected}
