"""How commands end where a library is missing: with one sentence that says what to install."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

WITHOUT = """
import runpy, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "onnx"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["export.cli", "weights.pth", "--out", "out"],
            "panoptic-export needs torch, which is not installed: pip install 'panoptic-service[export]'.",
        ),
        (
            ["export.cli", "null", "--out", "out"],
            "panoptic-export null needs onnx, which is not installed: pip install 'panoptic-service[export]'.",
        ),
        (
            ["model.training.cli", "street", "--data", ".", "--out", "out"],
            "panoptic-train needs torch, which is not installed: pip install 'panoptic-service[train]'.",
        ),
    ],
)
def test_a_missing_library_is_told_with_the_extra_that_brings_it(arguments: list[str], sentence: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", f"Error: {sentence}\n")
