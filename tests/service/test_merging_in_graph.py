"""A server that merges in the graph answers as one that merges heads, and takes no graph that is not the bundle's."""

import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from export.commands.merge import merge
from model.bundle import Bundle, BundleError, read_bundle
from model.fit import Sizes
from model.merged import find_merged, merged_folder, merged_name, record_path
from service.app import create_app, open_predictor, runtime_of
from service.backends import Device, Heads, Maps, open_backend
from service.backends.onnxruntime_cuda import OnnxRuntimeCudaMerger
from service.pipeline.maps import merge_maps
from service.pipeline.panoptic import merge_heads
from service.pipeline.predictor import Predictor
from service.pipeline.segments import segments_info
from service.settings import EMBEDDED_BUNDLE, Settings
from tests.service.conftest import photograph, run_server, wait_until_ready

URL = "/v1/panoptic"


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The embedded bundle with its merged graphs, as the command makes them."""
    path = tmp_path_factory.mktemp("bundle") / "street"
    shutil.copytree(EMBEDDED_BUNDLE, path)
    result = CliRunner().invoke(merge, [str(path)])
    assert result.exit_code == 0, result.output
    return read_bundle(path)


@pytest.fixture(scope="module")
def predictor(street: Bundle) -> Iterator[Predictor]:
    settings = Settings(bundle=street.path, merging="graph", threads=1)
    predictor = open_predictor(street, settings)
    predictor.prove()
    yield predictor
    predictor.close()


@pytest.fixture(scope="module")
def client(predictor: Predictor, street: Bundle) -> Iterator[httpx.Client]:
    app = create_app(Settings(bundle=street.path, merging="graph", cache_mb=100), predictor)
    server, thread, port = run_server(app)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        wait_until_ready(client)
        yield client
    server.should_exit = True
    thread.join(timeout=30)


def photo(size: tuple[int, int], name: str = "china.jpg") -> bytes:
    """A real photograph scaled to rows and columns."""
    file = BytesIO()
    with Image.open(photograph(name)) as image:
        image.convert("RGB").resize(size[::-1]).save(file, "PNG")
    return file.getvalue()


def output_of(predictor: Predictor, data: bytes, *, merged: bool) -> tuple[Sizes, Heads | Maps]:
    prepared = predictor.prepare(data)
    return prepared.sizes, predictor.submit(prepared, merged=merged).result(timeout=60).output


@pytest.mark.parametrize("name", ["china.jpg", "flower.jpg", "rocket.jpg"])
@pytest.mark.parametrize("size", [(384, 512), (512, 384)])
def test_a_photograph_of_the_buckets_size_has_the_segments_that_its_heads_give(
    predictor: Predictor, name: str, size: tuple[int, int]
) -> None:
    sizes, maps = output_of(predictor, photo(size, name), merged=True)
    _, heads = output_of(predictor, photo(size, name), merged=False)
    manifest = predictor.manifest
    assert isinstance(maps, Maps)
    assert isinstance(heads, Heads)

    found = merge_maps(maps, sizes, manifest, manifest.merging)

    expected = merge_heads(heads, sizes, manifest, manifest.merging)
    np.testing.assert_array_equal(found.ids, expected.ids)
    told, right = (
        [each | {"score": None} for each in segments_info(panoptic.segments)]
        for panoptic in (found, expected)
    )
    assert told == right
    assert [each.score for each in found.segments] == pytest.approx(
        [each.score for each in expected.segments], abs=1e-5
    )


def test_maps_and_tables_are_a_fraction_of_the_heads(predictor: Predictor) -> None:
    _, maps = output_of(predictor, photo((384, 512)), merged=True)
    _, heads = output_of(predictor, photo((384, 512)), merged=False)

    assert maps.nbytes < heads.nbytes / 2


def test_a_photograph_of_another_size_goes_the_way_of_heads(predictor: Predictor) -> None:
    _, output = output_of(predictor, photo((300, 400)), merged=True)

    assert isinstance(output, Heads)


@pytest.mark.parametrize("size", [(384, 512), (300, 400)])
@pytest.mark.parametrize(
    "options", [{}, {"stuff_area": 10_000}, {"min_score": 0.6}, {"center_threshold": 0.3}]
)
def test_a_server_answers_as_one_that_merges_heads(
    client: httpx.Client, predictor: Predictor, size: tuple[int, int], options: dict[str, Any]
) -> None:
    data = photo(size)
    merging = predictor.manifest.merging
    changed = {
        "threshold": options.get("center_threshold", merging.threshold),
        "stuff_area": options.get("stuff_area", merging.stuff_area),
    }

    answers = [client.post(URL, content=data, params=options).json() for _ in range(2)]  # the second is kept

    sizes, heads = output_of(predictor, data, merged=False)
    assert isinstance(heads, Heads)
    expected = merge_heads(
        heads,
        sizes,
        predictor.manifest,
        merging.model_copy(update=changed),
        min_score=options.get("min_score", 0.0),
    )
    for answer in answers:
        assert [(each["id"], each["area"], each["bbox"]) for each in answer["segments_info"]] == [
            (each.id, each.area, list(each.bbox)) for each in expected.segments
        ]


def test_only_options_of_the_host_go_with_the_graph(predictor: Predictor) -> None:
    merging = predictor.manifest.merging

    served = {
        name: predictor.merges(merging.model_copy(update={name: value}))
        for name, value in {"threshold": 0.9, "nms_kernel": 3, "top_k": 5, "stuff_area": 1}.items()
    }

    assert served == {"threshold": False, "nms_kernel": False, "top_k": False, "stuff_area": True}


def test_the_model_tells_where_it_merges(client: httpx.Client) -> None:
    assert client.get("/v1/model").json()["backend"]["merging"] == "graph"


def test_the_gpus_way_gives_the_same_maps(street: Bundle, predictor: Predictor) -> None:
    picture = predictor.prepare(photo((384, 512))).picture[None]
    bound = OnnxRuntimeCudaMerger(street, Device(0), provider="CPUExecutionProvider")

    found = bound.run(picture)
    bound.close()

    assert predictor.merger is not None
    expected = predictor.merger.run(picture)
    np.testing.assert_array_equal(found.classes, expected.classes)
    np.testing.assert_array_equal(found.instances, expected.instances)
    np.testing.assert_array_equal(found.places, expected.places)


def test_a_merging_that_answers_wrongly_fails_the_self_test(street: Bundle) -> None:
    class Wrong:
        """Maps in which all is of one class."""

        def __init__(self, maps: Maps) -> None:
            self.maps = maps

        def run(self, batch: np.ndarray) -> Maps:
            return self.maps

        def close(self) -> None:
            pass

    backend = open_backend(street, threads=1)
    whole = open_predictor(street, Settings(bundle=street.path, merging="graph", threads=1))
    assert whole.merger is not None
    maps = whole.merger.run(np.zeros((1, 384, 512, 3), np.uint8))
    whole.close()
    broken = Predictor(street, backend, max_batch=1, max_queue=1, max_pixels=1_000_000, merger=Wrong(maps))

    with pytest.raises(BundleError, match="fails its self-test"):
        broken.prove()
    broken.close()


def copy_of(street: Bundle, path: Path) -> Bundle:
    shutil.copytree(street.path, path)
    return read_bundle(path)


def test_without_its_graphs_a_bundle_is_refused_with_the_command_that_makes_them(tmp_path: Path) -> None:
    shutil.copytree(EMBEDDED_BUNDLE, tmp_path / "street", ignore=shutil.ignore_patterns("merged"))
    settings = Settings(bundle=tmp_path / "street", merging="graph")

    with pytest.raises(BundleError, match=r"384x512\.onnx.*Make it by `panoptic-export merge"):
        open_predictor(read_bundle(tmp_path / "street"), settings)


def test_a_graph_that_is_not_the_one_of_its_record_is_refused(street: Bundle, tmp_path: Path) -> None:
    bundle = copy_of(street, tmp_path / "street")
    path = merged_folder(bundle) / merged_name((384, 512))
    path.write_bytes(path.read_bytes() + b"\0")

    with pytest.raises(BundleError, match="not the file that its record tells of"):
        find_merged(bundle, (384, 512))


def test_a_graph_for_another_merging_is_refused(street: Bundle) -> None:
    merging = street.manifest.merging.model_copy(update={"threshold": 0.9})
    manifest = street.manifest.model_copy(update={"merging": merging})

    with pytest.raises(BundleError, match="for another merging"):
        find_merged(street.model_copy(update={"manifest": manifest}), (384, 512))


def test_a_record_that_cannot_be_read_is_refused(street: Bundle, tmp_path: Path) -> None:
    bundle = copy_of(street, tmp_path / "street")
    record_path(merged_folder(bundle) / merged_name((384, 512))).write_text("{}")

    with pytest.raises(BundleError, match="no record that this program can read"):
        find_merged(bundle, (384, 512))


def test_another_runtime_is_refused() -> None:
    with pytest.raises(BundleError, match="served by onnxruntime, not by openvino"):
        runtime_of(Settings(merging="graph", backend="openvino"))
