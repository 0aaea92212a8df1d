"""OpenVINO: the same contract and the same answers as ONNX Runtime."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from model.bundle import MODEL, Bundle, BundleError
from service.backends import open_backend
from tests.service.toy import BUCKETS, golden_scene, write_toy


@pytest.mark.parametrize("count", [1, 3])
def test_both_runtimes_give_one_answer(toy: Bundle, count: int) -> None:
    batch = np.repeat(golden_scene()[None], count, axis=0)
    heads = []
    for runtime in ("onnxruntime", "openvino"):
        backend = open_backend(toy, runtime, "fp32", threads=1)
        heads.append(backend.run(batch))
        backend.close()

    for name in ("semantic", "center", "offset"):
        np.testing.assert_allclose(getattr(heads[1], name), getattr(heads[0], name), atol=1e-4)


def test_the_next_batch_leaves_the_heads_of_the_last_one_alone(toy: Bundle) -> None:
    backend = open_backend(toy, "openvino", "fp32", threads=1)
    first = backend.run(golden_scene()[None])
    kept = first.semantic.copy()

    backend.run(np.zeros((1, *BUCKETS[0], 3), np.uint8))
    backend.close()

    np.testing.assert_array_equal(first.semantic, kept)


def test_pictures_of_a_batch_are_answered_as_alone_and_in_order(toy: Bundle) -> None:
    backend = open_backend(toy, "openvino", "fp32", threads=2)
    pictures = np.random.default_rng(0).integers(0, 256, (3, *BUCKETS[0], 3)).astype(np.uint8)
    together = backend.run(pictures)

    for index in range(3):
        alone = backend.run(pictures[index : index + 1])
        for name in ("semantic", "center", "offset"):
            np.testing.assert_array_equal(getattr(together, name)[index], getattr(alone, name)[0])
    backend.close()


def test_two_batches_at_once_are_answered_like_one_alone(toy: Bundle) -> None:
    backend = open_backend(toy, "openvino", "fp32", threads=2)
    pictures = np.random.default_rng(0).integers(0, 256, (8, 1, *BUCKETS[0], 3)).astype(np.uint8)
    expected = [backend.run(picture) for picture in pictures]

    with ThreadPoolExecutor(backend.lanes) as threads:
        found = list(threads.map(backend.run, pictures))
    backend.close()

    for one, other in zip(found, expected, strict=True):
        for name in ("semantic", "center", "offset"):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-4)


SIGNAL_AFTER_CLOSING = """
import gc, os, signal, sys, threading
from pathlib import Path
from model.bundle import read_bundle
from service.backends import open_backend

signal.signal(signal.SIGUSR1, lambda number, frame: print("the signal was handled"))
held = [open_backend(read_bundle(Path(sys.argv[1])), "openvino", "fp32", threads=1)]

def drop():
    held.pop().close()
    gc.collect()

thread = threading.Thread(target=drop)
thread.start()
thread.join()
os.kill(os.getpid(), signal.SIGUSR1)
"""


def test_signals_are_handled_after_another_thread_has_closed_the_engine(toy: Bundle) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SIGNAL_AFTER_CLOSING, str(toy.path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert (done.returncode, done.stdout) == (0, "the signal was handled\n"), done.stderr


def test_a_file_that_is_no_graph_is_refused_in_one_sentence(tmp_path: Path) -> None:
    bundle = write_toy(tmp_path / "toy")
    (bundle.path / MODEL).write_bytes(b"no graph")

    with pytest.raises(BundleError, match=r"is no graph that OpenVINO \d.*--backend onnxruntime") as raised:
        open_backend(bundle, "openvino", "fp32", threads=1)

    assert "\n" not in str(raised.value)


def test_a_graph_with_another_input_than_its_manifest_says_is_refused(toy: Bundle) -> None:
    spec = toy.manifest.input.model_copy(update={"name": "pictures"})
    other = toy.model_copy(update={"manifest": toy.manifest.model_copy(update={"input": spec})})

    with pytest.raises(BundleError, match="'pictures'"):
        open_backend(other, "openvino", "fp32", threads=1)


def test_where_it_is_not_installed_that_is_said_with_what_to_install(
    toy: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)

    with pytest.raises(BundleError, match="pip install 'panoptic-service\\[openvino\\]'"):
        open_backend(toy, "openvino", "fp32", threads=1)


def test_a_precision_that_a_runtime_lacks_is_refused_with_what_it_has(toy: Bundle) -> None:
    with pytest.raises(BundleError, match=r"in fp32, not in bf16\. Ask for --backend openvino"):
        open_backend(toy, "onnxruntime", "bf16", threads=1)
