"""The peers' graph is ours behind its normalisation, and the usual handler gives our answer with it."""

import base64
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from benchmarks.peers.answers import agreement, read_answer
from benchmarks.peers.comparison import write_peers_null
from benchmarks.peers.environment import ROOT
from benchmarks.peers.servers.usual import RUNTIMES, Engine, Task
from benchmarks.peers.task import NoSuchGraph, behind, find_normalised, write_task
from benchmarks.scenes import jpeg
from model.bundle import Bundle
from model.fit import Sizes
from model.variants import R52_DC5
from service.backends import Heads
from service.pipeline.encode import panoptic_png
from service.pipeline.panoptic import merge_heads
from service.pipeline.segments import segments_info

SIZE = (512, 1024)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_peers_null(tmp_path_factory.mktemp("bundles") / "null", SIZE)


def our_answer(bundle: Bundle) -> bytes:
    """What the service answers to any photograph of the bucket's size."""
    session = onnxruntime.InferenceSession(str(bundle.model), providers=["CPUExecutionProvider"])
    heads = session.run(["semantic", "center", "offset"], {"image": np.zeros((1, *SIZE, 3), np.uint8)})
    panoptic = merge_heads(Heads(*heads), Sizes(SIZE, SIZE, SIZE), bundle.manifest, bundle.manifest.merging)
    picture = base64.b64encode(panoptic_png(panoptic)).decode()
    rows = segments_info(panoptic.segments)
    return json.dumps({"segments_info": rows, "panoptic_png": picture}).encode()


def usual_answer(
    bundle: Bundle,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    runtime: str = "onnxruntime",
    enlarge: bool,
) -> bytes:
    task = write_task(bundle, SIZE, folder, runtime=runtime, threads=1, enlarge=enlarge)
    monkeypatch.setenv("PEERS_TASK", str(task))
    return Engine().handle(jpeg(SIZE))


def test_the_normalisation_is_read_off_the_graph(bundle: Bundle, tmp_path: Path) -> None:
    path = write_task(bundle, SIZE, tmp_path, runtime="onnxruntime", threads=1, enlarge=False)
    task = Task(**json.loads(path.read_text()))

    assert np.allclose([task.mean, task.std], [R52_DC5.input.mean, R52_DC5.input.std], atol=1e-3)


def test_the_null_scene_has_30_things(bundle: Bundle) -> None:
    assert read_answer(our_answer(bundle)).things == 30


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_merged_at_the_input_size_the_usual_handler_gives_our_answer(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    usual = read_answer(usual_answer(bundle, tmp_path, monkeypatch, runtime=runtime, enlarge=True))

    assert agreement(read_answer(our_answer(bundle)), usual) > 0.999


def test_merged_at_the_heads_size_it_differs_at_the_borders_only(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = read_answer(usual_answer(bundle, tmp_path, monkeypatch, enlarge=False))

    assert agreement(read_answer(our_answer(bundle)), usual) > 0.9


def test_the_graph_of_street_runs_behind_its_normalisation_as_it_does_whole() -> None:
    whole = onnx.load(str(ROOT / "service" / "bundles" / "street" / "model.onnx"))
    cut = find_normalised(whole)
    probe = onnx.ModelProto()
    probe.CopyFrom(whole)
    probe.graph.output.append(onnx.helper.make_tensor_value_info(cut, onnx.TensorProto.FLOAT, None))
    picture = np.random.default_rng(0).integers(0, 256, (1, 64, 128, 3), np.uint8)

    *heads, normal = _run(probe, {"image": picture})
    found = _run(behind(whole, cut), {cut: normal})

    assert max(float(np.abs(a - b).max()) for a, b in zip(heads, found, strict=True)) < 1e-4


def test_a_graph_without_a_normalisation_is_refused() -> None:
    node = onnx.helper.make_node("Identity", ["image"], ["semantic"])
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node],
        "bare",
        [value("image", onnx.TensorProto.UINT8, ["N", 8, 8, 3])],
        [value("semantic", onnx.TensorProto.UINT8, ["N", 8, 8, 3])],
    )

    with pytest.raises(NoSuchGraph):
        find_normalised(onnx.helper.make_model(graph))


def _run(graph: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return [np.asarray(output) for output in session.run(None, inputs)]
