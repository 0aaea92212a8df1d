"""ONNX Runtime: the graph must be what the manifest says; which session runs a batch, and what it gives back."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.bundle import MODEL, Bundle, BundleError
from service.backends import open_backend, turns
from service.backends.onnxruntime import OnnxRuntime
from service.backends.turns import Turns
from tests.service.toy import golden_scene, write_toy


def test_heads_come_at_network_stride_whatever_the_bucket_and_batch(toy: Bundle) -> None:
    backend = open_backend(toy, threads=1)

    shapes = [
        backend.run(np.zeros((n, h, w, 3), np.uint8)).semantic.shape
        for n, h, w in ((1, 96, 128), (3, 128, 96))
    ]
    backend.close()

    assert shapes == [(1, 6, 24, 32), (3, 6, 32, 24)]


def test_a_file_that_is_no_graph_is_refused_in_one_sentence(tmp_path: Path) -> None:
    bundle = write_toy(tmp_path / "toy")
    (bundle.path / MODEL).write_bytes(b"no graph")

    with pytest.raises(BundleError, match="is no graph that ONNX Runtime"):
        open_backend(bundle, threads=1)


def test_a_graph_with_another_input_than_its_manifest_says_is_refused(toy: Bundle) -> None:
    spec = toy.manifest.input.model_copy(update={"name": "pictures"})
    other = toy.model_copy(update={"manifest": toy.manifest.model_copy(update={"input": spec})})

    with pytest.raises(BundleError, match="'pictures'"):
        open_backend(other, threads=1)


class Noting:
    """A session that keeps the options its runs came with."""

    def __init__(self, session: Any):
        self._session = session
        self.options: list[Any] = []

    def run(self, outputs: list[str], feed: dict[str, Any], options: Any) -> Any:
        self.options.append(options)
        return self._session.run(outputs, feed, options)


def test_two_batches_at_once_are_answered_like_one_alone(toy: Bundle) -> None:
    backend = open_backend(toy, threads=2)
    batch = golden_scene()[None]
    expected = backend.run(batch)

    with ThreadPoolExecutor(backend.lanes) as threads:
        found = list(threads.map(backend.run, [batch] * 8))
    backend.close()

    for heads in found:
        for name in ("semantic", "center", "offset"):
            np.testing.assert_array_equal(getattr(heads, name), getattr(expected, name))


def test_a_run_that_failed_is_followed_by_one_that_does_not(toy: Bundle) -> None:
    backend = open_backend(toy, threads=2)
    with pytest.raises(Exception, match="Got invalid dimensions"):
        backend.run(np.zeros((1, 96, 128, 4), np.uint8))

    assert backend.run(golden_scene()[None]).semantic.shape == (1, 6, 24, 32)


def test_where_a_picture_takes_long_a_batch_has_all_threads(
    toy: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "SLOW", 0.0)

    assert OnnxRuntime(toy, threads=2).lanes == 1


def test_larger_batches_give_memory_back_the_first_time(toy: Bundle) -> None:
    backend = OnnxRuntime(toy, threads=1)
    with backend._turns.take() as real:
        session = Noting(real)
    backend._turns = Turns(session, list)

    for size in (1, 2, 2, 4):
        backend.run(np.repeat(golden_scene()[None], size, axis=0))

    assert [options is not None for options in session.options] == [False, True, False, True]


def test_a_session_that_fails_is_closed_like_any_other(toy: Bundle) -> None:
    class Failing:
        def run(self, *arguments: Any) -> Any:
            raise RuntimeError("the session is broken")

    backend = OnnxRuntime(toy, threads=2)
    backend._turns = Turns(Failing(), list)

    backend.close()

    assert backend._turns is None


CLOSES = """
from pathlib import Path
import numpy as np
import service.backends.onnxruntime as module
import service.backends.turns as turns
from model.bundle import read_bundle

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

turns.SLOW = {slow}
backend = module.OnnxRuntime(read_bundle(Path({bundle!r})), threads=2)
backend.run(np.zeros((1, 2048, 2048, 3), np.uint8))
open_ = resident()
backend.close()
backend.close()
print((open_ - resident()) >> 20)
"""


def megabytes_given_back(bundle: Bundle, *, slow: float) -> int:
    program = CLOSES.format(bundle=str(bundle.path), slow=slow)
    return int(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads /proc")
def test_closed_it_gives_back_what_its_largest_picture_took(toy: Bundle) -> None:
    assert megabytes_given_back(toy, slow=10) > 40  # a picture's 4.2 million values of red alone are 16
    assert megabytes_given_back(toy, slow=0) < 40  # where a run takes long, closing doesn't wait for another
