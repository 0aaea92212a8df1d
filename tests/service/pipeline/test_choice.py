"""The choice of an engine: the quickest of those that answer rightly."""

import sys
import time
from typing import Any

import numpy as np
import pytest

from model.bundle import Bundle, BundleError
from model.fit import Sizes
from service.backends import Backend, Heads, Pictures, open_backend
from service.pipeline.choice import choose_backend
from service.pipeline.panoptic import merge_heads
from tests.service.toy import BUCKETS, golden_scene, write_toy


class Slow:
    """An engine that takes a while longer, or forgets the things."""

    name, device, lanes, gpu = "slow", "cpu", 1, None

    def __init__(self, inner: Backend, *, lies: bool = False, seconds: float = 0.0):
        self.inner, self.lies, self.seconds = inner, lies, seconds
        self.precision = inner.precision
        self.closed = False

    def run(self, batch: Pictures) -> Heads:
        time.sleep(self.seconds)
        heads = self.inner.run(batch)
        return Heads(-heads.semantic, heads.center, heads.offset) if self.lies else heads

    def close(self) -> None:
        self.closed = True


def answer(bundle: Bundle, backend: Backend) -> "np.ndarray[Any, Any]":
    heads = backend.run(golden_scene()[None])
    return merge_heads(heads, Sizes(*[BUCKETS[0]] * 3), bundle.manifest, bundle.manifest.merging).ids


@pytest.fixture(scope="module")
def golden_toy(toy: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The toy with the golden that ONNX Runtime answers."""
    backend = open_backend(toy, threads=1)
    golden = answer(toy, backend).astype(np.int32)
    backend.close()
    return write_toy(tmp_path_factory.mktemp("golden") / "toy", golden=golden)


def test_every_engine_gives_the_same_ids(golden_toy: Bundle) -> None:
    found = []
    for runtime in ("onnxruntime", "openvino"):
        choice = choose_backend(golden_toy, runtime=runtime, precision="fp32", threads=1)
        found.append(answer(golden_toy, choice.backend))
        choice.backend.close()

    np.testing.assert_array_equal(found[0], found[1])


def test_of_two_that_answer_rightly_the_quicker_is_taken_and_the_other_closed(golden_toy: Bundle) -> None:
    opened: dict[str, Slow] = {}

    def open_(bundle: Bundle, runtime: str, precision: str, *, threads: int) -> Slow:
        opened[runtime] = Slow(
            open_backend(bundle, threads=threads), seconds=0.2 if runtime == "onnxruntime" else 0
        )
        return opened[runtime]

    choice = choose_backend(golden_toy, precision="fp32", threads=1, open_=open_)

    assert (choice.reason, choice.backend) == ("fastest", opened["openvino"])
    assert opened["onnxruntime"].closed
    assert [trial.milliseconds is None for trial in choice.trials] == [False, False]


@pytest.mark.parametrize(("bf16", "trials"), [(0.0, 2), (0.15, 3), (0.3, 3)])
def test_a_runtime_s_other_format_is_tried_unless_the_first_wins_clearly(
    golden_toy: Bundle, bf16: float, trials: int
) -> None:
    takes = {"onnxruntime fp32": 0.2, "openvino bf16": bf16, "openvino fp32": 0.05}

    def open_(bundle: Bundle, runtime: str, precision: str, *, threads: int) -> Slow:
        return Slow(open_backend(bundle, threads=threads), seconds=takes[f"{runtime} {precision}"])

    choice = choose_backend(golden_toy, threads=1, open_=open_)

    taken = min(choice.trials, key=lambda trial: trial.milliseconds or 0)
    assert len(choice.trials) == trials
    assert (taken.runtime, taken.precision) == ("openvino", "bf16" if trials == 2 else "fp32")


def test_an_engine_that_lies_is_dropped_with_the_reason(golden_toy: Bundle) -> None:
    def open_(bundle: Bundle, runtime: str, precision: str, *, threads: int) -> Slow:
        return Slow(open_backend(bundle, threads=threads), lies=runtime == "openvino")

    choice = choose_backend(golden_toy, threads=1, open_=open_)

    assert (choice.reason, choice.trials[0].runtime) == ("only", "onnxruntime")
    refusals = {trial.precision: trial.refusal for trial in choice.trials if trial.runtime == "openvino"}
    assert set(refusals) == {"bf16", "fp32"}
    assert all("fails its self-test" in refusal for refusal in refusals.values())


def test_an_engine_must_answer_every_golden(golden_toy: Bundle) -> None:
    manifest = golden_toy.manifest.model_copy(update={"goldens": golden_toy.manifest.goldens * 2})
    bundle = golden_toy.model_copy(update={"manifest": manifest})

    class Tiring(Slow):
        """Answers once, then lies."""

        def run(self, batch: Pictures) -> Heads:
            heads = super().run(batch)
            self.lies = True
            return heads

    def open_(bundle: Bundle, runtime: str, precision: str, *, threads: int) -> Slow:
        return (Tiring if runtime == "openvino" else Slow)(open_backend(bundle, threads=threads))

    choice = choose_backend(bundle, threads=1, open_=open_)

    assert (choice.reason, choice.trials[0].runtime) == ("only", "onnxruntime")


def test_without_openvino_auto_takes_onnx_runtime(toy: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)

    choice = choose_backend(toy, threads=1)
    choice.backend.close()

    assert (choice.reason, choice.trials[0].runtime) == ("only", "onnxruntime")
    assert "pip install" in choice.trials[1].refusal


def test_what_is_stated_is_taken_without_a_trial(toy: Bundle) -> None:
    choice = choose_backend(toy, runtime="openvino", precision="fp32", threads=1)
    choice.backend.close()

    assert (choice.reason, choice.backend.name[:8]) == ("stated", "OpenVINO")


def test_where_nothing_can_be_used_every_refusal_is_told(toy: Bundle) -> None:
    with pytest.raises(BundleError, match=r"No engine here.*onnxruntime int8.*openvino int8.*quantize"):
        choose_backend(toy, precision="int8", threads=1)


def test_an_int8_bundle_is_run_in_int8(toy: Bundle) -> None:
    bundle = toy.model_copy(update={"precision": "int8"})

    choice = choose_backend(bundle, runtime="onnxruntime", threads=1)
    choice.backend.close()

    assert choice.backend.precision == "int8"
