"""Our networks and merging against what the published programs gave."""

import json
from pathlib import Path

import numpy as np
import pytest

from model.command_line import run_command
from model.parity.__main__ import parity
from model.parity.findings import Finding, Skipped
from model.parity.merging import compare_post
from model.parity.stand_in import fill, picture
from model.parity.walk import compare_golden, walk_goldens

GOLDENS = Path(__file__).parent.parent / "goldens"


@pytest.mark.parametrize("golden", ["post", "tail"])
def test_the_merging_equals_both_programs_to_the_last_pixel(golden: str) -> None:
    compared = compare_golden(GOLDENS / f"{golden}.npz", GOLDENS / "keys")
    holding = [isinstance(row, Finding) and row.holds for row in compared]

    assert all(holding)
    assert len(holding) >= 4


def test_one_wrong_pixel_of_a_golden_is_found(tmp_path: Path) -> None:
    write_post(tmp_path / "post.npz", name="all-thing", wrong_pixels=1)

    with np.load(tmp_path / "post.npz") as arrays:
        labels = next(compare_post("post", arrays))

    assert (labels.found, labels.holds) == ("0 of 1 equal; not all-thing", False)


def test_the_command_ends_with_1_where_a_golden_differs(tmp_path: Path) -> None:
    write_post(tmp_path / "post.npz", name="all-thing", wrong_pixels=1)

    assert exit_code("--goldens", tmp_path, "--keys", tmp_path) == 1


def test_the_command_ends_with_0_where_all_agree(tmp_path: Path) -> None:
    write_post(tmp_path / "post.npz", name="all-thing", wrong_pixels=0)

    assert exit_code("--goldens", tmp_path, "--keys", tmp_path) == 0


def test_the_command_ends_with_1_where_there_is_nothing_to_compare(tmp_path: Path) -> None:
    assert exit_code("--goldens", tmp_path, "--keys", tmp_path) == 1


def test_the_command_ends_with_2_where_a_folder_is_missing(tmp_path: Path) -> None:
    assert exit_code("--goldens", tmp_path / "none", "--keys", tmp_path) == 2


def test_a_golden_of_a_variant_to_come_is_skipped_and_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "d2-z99-x.npz", meta=np.array(json.dumps({"flavour": "d2", "variant": "z99"})))

    rows = list(walk_goldens(tmp_path, tmp_path))

    assert rows == [Skipped("d2-z99-x", "its variant is not ours yet")]


def test_a_stand_in_weight_depends_on_its_name_shape_and_seed_alone() -> None:
    values = fill("a.weight", (2, 3, 3, 3), seed=1)

    assert np.array_equal(values, fill("a.weight", (2, 3, 3, 3), seed=1))
    assert not np.array_equal(values, fill("b.weight", (2, 3, 3, 3), seed=1))
    assert not np.array_equal(values, fill("a.weight", (2, 3, 3, 3), seed=2))


def test_the_stand_in_picture_is_the_one_the_goldens_were_made_of() -> None:
    with np.load(GOLDENS / "d2-r52-128x256-global.npz") as arrays:
        assert np.array_equal(picture(128, 256, seed=1), arrays["image"])


def write_post(path: Path, *, name: str, wrong_pixels: int) -> None:
    """Write one case of the real golden, with so many pixels changed."""
    with np.load(GOLDENS / "post.npz") as arrays:
        row = next(row for row in json.loads(str(arrays["index"])) if row["name"] == name)
        case = {key: arrays[key] for key in arrays.files if key.startswith(f"{name}/")}
    for program in ("d2", "old"):
        case[f"{name}/panoptic_{program}"].reshape(-1)[:wrong_pixels] += 1
    np.savez(path, index=np.array(json.dumps([row])), **case)


def exit_code(*arguments: object) -> object:
    with pytest.raises(SystemExit) as ending:
        run_command(parity, [str(argument) for argument in arguments])
    return ending.value.code
