"""`make gpu` on a machine without a GPU says so and measures nothing."""

from pathlib import Path

import pytest

from benchmarks import gpu
from model.accelerator import AcceleratorError


def test_without_a_gpu_it_says_why_and_leaves_the_page_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none(index: int) -> None:
        raise AcceleratorError("No GPU can be used here.")

    monkeypatch.setattr(gpu, "find_accelerator", none)
    page = tmp_path / "page.md"
    page.write_text("Not run.\n")

    code = gpu.main(["no-bundle", "--page", str(page)])

    assert code == gpu.NO_GPU
    assert "No GPU can be used here" in capsys.readouterr().err
    assert page.read_text() == "Not run.\n"
