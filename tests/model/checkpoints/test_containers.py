"""State dicts come out of every kind of file, told by its content, and nothing in a file is run."""

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from model.checkpoints import CheckpointError
from model.checkpoints.containers import read_state

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.count": torch.tensor(3)}
ARRAYS = {name: tensor.numpy() for name, tensor in STATE.items()}
PARALLEL = {f"module.{name}": tensor for name, tensor in STATE.items()}
OPTIMIZER = {"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}


def pickled(content: object, protocol: int = 4) -> Any:
    return lambda path: path.write_bytes(pickle.dumps(content, protocol))


def saved(content: object, *, older: bool = False) -> Any:
    return lambda path: torch.save(content, path, _use_new_zipfile_serialization=not older)


FILES = {
    "Detectron2's pickle": pickled({"model": ARRAYS, "__author__": "a name", "matching_heuristics": True}),
    "Detectron2's pickle, protocol 2": pickled({"model": ARRAYS, "__author__": "a name"}, 2),
    "a bare pickle": pickled(ARRAYS),
    "Detectron2's trainer": saved(
        {"model": STATE, "optimizer": OPTIMIZER, "scheduler": {"last_epoch": 3}, "iteration": 3}
    ),
    "bare": saved(STATE),
    "bare, before torch 1.6": saved(STATE, older=True),
    "the original repository's .pth.tar": saved(
        {"start_iter": 3, "state_dict": STATE, "optimizer": OPTIMIZER, "lr_scheduler": {}}
    ),
    "the same, before torch 1.6": saved({"state_dict": STATE, "optimizer": OPTIMIZER}, older=True),
    "under DataParallel's prefix": saved({"state_dict": PARALLEL}),
    "safetensors": lambda path: save_file(STATE, path),
    "safetensors with words": lambda path: save_file(STATE, path, {"licence": "MIT"}),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_state_dict_comes_out_of_every_kind_of_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "its-name-says-nothing"
    FILES[kind](path)

    state = read_state(path).tensors

    assert state.keys() == STATE.keys()
    assert all(torch.equal(state[name], STATE[name]) for name in STATE)


def test_the_words_of_a_safetensors_file_are_read(tmp_path: Path) -> None:
    FILES["safetensors with words"](tmp_path / "a")

    assert read_state(tmp_path / "a").metadata == {"licence": "MIT"}


def test_a_prefix_that_only_some_names_have_stays(tmp_path: Path) -> None:
    torch.save({**STATE, "module.b": torch.zeros(1)}, tmp_path / "a")

    assert "module.b" in read_state(tmp_path / "a").tensors


class Runs:
    """An object whose pickle runs a command when it is read."""

    def __reduce__(self) -> Any:
        return os.system, ("touch touched",)


@pytest.mark.parametrize("older", [False, True], ids=["zip archive", "before torch 1.6"])
def test_a_torch_file_that_runs_a_command_is_refused_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, older: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    saved({"model": STATE, "more": Runs()}, older=older)(Path("a"))

    with pytest.raises(CheckpointError, match=rf"it asks for '{os.name}\.system'"):
        read_state(Path("a"))

    assert not Path("touched").exists()


class Long:
    """An object whose pickle makes a byte string of any length."""

    def __reduce__(self) -> Any:
        return bytearray, (10**12,)


@pytest.mark.parametrize("older", [False, True], ids=["zip archive", "before torch 1.6"])
def test_a_torch_file_that_makes_bytes_from_nothing_is_refused(tmp_path: Path, older: bool) -> None:
    saved({"model": STATE, "more": Long()}, older=older)(tmp_path / "a")

    with pytest.raises(CheckpointError, match=r"it asks for '(builtins|__builtin__)\.bytearray'"):
        read_state(tmp_path / "a")


def test_an_archive_that_unpacks_to_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    saved(STATE)(tmp_path / "small")
    with zipfile.ZipFile(tmp_path / "small") as small, zipfile.ZipFile(tmp_path / "a", "w") as bomb:
        for name in small.namelist():
            bomb.writestr(name, small.read(name))
        bomb.writestr("archive/data/9", bytes(10_000_000), zipfile.ZIP_DEFLATED)

    with pytest.raises(CheckpointError, match="unpacks to more than the file holds"):
        read_state(tmp_path / "a")


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (saved(nn.ReLU()), "it asks for 'torch.nn.modules.activation.ReLU'"),
        (saved([1, 2]), "it holds no state dict"),
        (saved({}), "it holds no state dict"),
        (saved({"model": 3}), "no tensors, such as 'model'"),
        (saved({1: torch.zeros(1)}), "names that are no text"),
        (pickled({"model": ARRAYS | {"b": np.zeros(2).tolist()}}), "no tensors, such as 'b'"),
        (pickled([Runs()]), "its pickle asks for"),
        (lambda path: path.write_bytes(b""), "is neither safetensors nor a pickle"),
        (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(80)), "it is a broken"),
        (lambda path: path.write_bytes(b"\x50\0\0\0\0\0\0\0{" + bytes(90)), "is a broken safetensors file"),
        (lambda path: path.write_bytes(b"\x89PNG" + bytes(90)), "is neither safetensors nor a pickle"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_holds_no_weights_is_refused_with_what_is_known(
    tmp_path: Path, write: Any, sentence: str
) -> None:
    write(tmp_path / "a")

    with pytest.raises(CheckpointError, match=sentence) as caught:
        read_state(tmp_path / "a")

    assert "Reading executes nothing; known are our own .safetensors" in str(caught.value)


def test_a_cut_off_file_is_refused(tmp_path: Path) -> None:
    for kind in ("Detectron2's pickle", "bare", "bare, before torch 1.6", "safetensors"):
        FILES[kind](tmp_path / "whole")
        content = (tmp_path / "whole").read_bytes()
        (tmp_path / "a").write_bytes(content[: len(content) - 20])

        with pytest.raises(CheckpointError, match=r"broken|more than the file has"):
            read_state(tmp_path / "a")


def test_one_tensor_under_two_names_is_read_under_both(tmp_path: Path) -> None:
    array = np.ones(4, np.float32)
    pickled({"a": array, "b": array})(tmp_path / "a")

    state: dict[str, Tensor] = read_state(tmp_path / "a").tensors

    assert torch.equal(state["a"], state["b"])
