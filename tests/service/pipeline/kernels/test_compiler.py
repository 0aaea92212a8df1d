"""Compiled code: what is kept, what is not, and that no request compiles."""

import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from model.bundle import Bundle
from model.fit import Sizes
from service.pipeline.encode import panoptic_png
from service.pipeline.kernels.arithmetic import larger
from service.pipeline.kernels.classes import _rank
from service.pipeline.kernels.codes import rename
from service.pipeline.kernels.compiler import config, entry
from service.pipeline.kernels.deflate import _pack
from service.pipeline.kernels.merge import _merge
from service.pipeline.kernels.peaks import _find
from service.pipeline.kernels.scores import _score
from service.pipeline.kernels.warm import warm
from service.pipeline.panoptic import merge_heads
from tests.service.pipeline.merging import Case, Grid, manifest_of, merging_of, smooth_heads


def half(value: float) -> float:
    return value / 2


def double(values: np.ndarray) -> None:
    for place in range(values.size):
        values[place] *= np.float32(2)


def keep_larger(kept: np.ndarray, values: np.ndarray) -> None:
    for place in range(values.size):
        kept[place] = larger(kept[place], values[place])


def test_a_kernel_is_kept_where_it_is_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))

    entry(half)(1.0)

    assert {path.suffix for path in tmp_path.iterdir()} == {".nbi", ".nbc"}


def test_a_kernel_runs_where_nothing_can_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "file" / "folder"))  # not even root can make it

    assert entry(half)(1.0) == 0.5


_OF_A_TYPE_THAT_IS_NO_MORE = b"cservice.pipeline.kernels.classes\nGone\n."  # as older sources left it


@pytest.mark.parametrize(
    "kept", [b"", b"no code at all", _OF_A_TYPE_THAT_IS_NO_MORE], ids=["empty", "damaged", "older"]
)
def test_what_was_kept_and_cannot_be_read_is_made_anew(
    kept: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    entry(half)(1.0)
    (index,) = tmp_path.glob("*.nbi")
    index.write_bytes(pickle.dumps(numba.__version__) + kept)

    assert entry(half)(1.0) == 0.5
    assert kept == b"" or kept not in index.read_bytes()
    again: Any = entry(half)
    again(1.0)
    assert sum(again.stats.cache_hits.values()) == 1


_STORE_OF_SOME_LANES = r"maskmov\w+\s+%\w+, %\w+, [-\d]*\("  # slow on AMD's processors

KERNELS: dict[str, Any] = {each.__name__: each for each in (_rank, _find, _merge, _score, rename, _pack)}


def test_no_instruction_is_used_that_the_pinned_processor_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if config.CPU_NAME != "x86-64-v3":
        pytest.skip("this processor is older, or another one was stated")
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))  # of what was loaded, numba shows no code
    kernel: Any = entry(double)

    kernel(np.ones(64, np.float32))

    (code,) = kernel.inspect_asm().values()
    assert "ymm" in code  # vectors of 256 bits
    assert "zmm" not in code  # of 512


def test_the_larger_is_stored_in_whole_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if config.CPU_NAME != "x86-64-v3":
        pytest.skip("this processor is older, or another one was stated")
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    kernel: Any = entry(keep_larger)

    kernel(*np.ones((2, 64), np.float32))

    (code,) = kernel.inspect_asm().values()
    assert "vmaxps" in code
    assert not re.search(_STORE_OF_SOME_LANES, code)


@pytest.mark.parametrize("name", KERNELS)
def test_after_warming_no_picture_compiles_anything(name: str, toy: Bundle) -> None:
    warm()
    heads = smooth_heads(16, 24)
    heads.semantic.flags.writeable = False
    cases: tuple[tuple[Grid, tuple[int, int]], ...] = (("input", (64, 96)), ("output", (100, 90)))
    for grid, output in cases:
        case = Case(heads, Sizes((64, 96), (64, 96), output), merging_of(grid))
        answer = merge_heads(heads, case.sizes, manifest_of(toy.manifest, case), case.merging)
        panoptic_png(answer)
        assert answer.ids.shape == output
    empty = Case(heads, case.sizes, case.merging.model_copy(update={"threshold": 100.0}))  # no center at all
    merge_heads(heads, empty.sizes, manifest_of(toy.manifest, empty), empty.merging)

    assert len(KERNELS[name].signatures) == 1


WITHOUT_SCIPY = """
import sys
from service.pipeline.kernels.warm import warm

warm()
print(any(name.partition(".")[0] == "scipy" for name in sys.modules))
import scipy.linalg
print(scipy.linalg.norm([3, 4]))
"""


def test_scipy_is_left_alone_and_can_be_imported_afterwards() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_SCIPY], check=True, capture_output=True, text=True)

    assert done.stdout.split() == ["False", "5.0"]
