"""Merging against the reference in torch, and the segments against their picture.

Heads and photographs here have more than 128 rows and columns together: below that torch takes another order of
additions, and rounds otherwise.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.lib.npyio import NpzFile

from model import grouping as reference
from model.bundle import Bundle, CategorySpec, MergingSpec
from model.fit import Sizes
from service.backends import Heads
from service.pipeline.panoptic import Panoptic, find_centers, merge_heads
from tests.service.pipeline.merging import Case, Grid, manifest_of, merging_of, reference_ids, smooth_heads

GOLDENS = Path(__file__).parents[2] / "goldens"
SIZES = [
    Sizes((64, 96), (64, 96), (64, 96)),
    Sizes((64, 96), (64, 90), (171, 240)),
    Sizes((64, 96), (50, 96), (60, 111)),
    Sizes((61, 93), (61, 93), (100, 131)),
]


def merged(case: Case, toy: Bundle) -> Panoptic:
    return merge_heads(case.heads, case.sizes, manifest_of(toy.manifest, case), case.merging)


@pytest.mark.parametrize("grid", ["input", "output"])
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_merging_equals_the_reference(sizes: Sizes, align_corners: bool, grid: Grid, toy: Bundle) -> None:
    cells = [(side + 3) // 4 for side in sizes.input]
    heads = smooth_heads(cells[0], cells[1], seed=sum(sizes.output))
    case = Case(heads, sizes, merging_of(grid), align_corners=align_corners)

    found = merged(case, toy)

    expected = reference_ids(case)
    assert len(np.unique(expected)) > 8
    assert np.array_equal(found.ids, expected)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Heads of any stride, corner rule, label set, reach and roundness, and photographs of any size."""
    label_set, classes = draw(st.sampled_from([("street", 17), ("cityscapes", 19), ("coco", 133)]))
    stride, align_corners = draw(st.sampled_from([1, 2, 4, 8])), draw(st.booleans())
    rows, columns = draw(st.integers(17, 24)), draw(st.integers(40, 50))
    if stride == 1:
        rows, columns = 2 * rows, 2 * columns + 20
    elif stride == 2:
        columns += 70
    reach = draw(st.sampled_from([0.5, 6, 40]))
    heads = smooth_heads(rows, columns, draw(st.integers(0, 10_000)), classes=classes, reach=reach)
    if draw(st.booleans()):  # rounded heads are full of ties
        heads = Heads(
            *(np.round(head * 4) / np.float32(4) for head in (heads.semantic, heads.center, heads.offset))
        )
    less = stride - 1 if align_corners else draw(st.integers(0, stride - 1))
    size = (rows * stride - less, columns * stride - less)
    fitted = draw(st.sampled_from([size, (size[0] * 3 // 4, size[1]), (size[0], size[1] * 3 // 4)]))
    output = draw(st.sampled_from([fitted, (draw(st.integers(20, 250)), draw(st.integers(110, 250)))]))
    merging = merging_of(
        draw(st.sampled_from(["input", "output"])),
        nms_kernel=draw(st.sampled_from([1, 7, 41])),
        top_k=draw(st.sampled_from([5, 60, 400])),
    )
    return Case(heads, Sizes(size, fitted, output), merging, label_set, stride, align_corners)


def assert_equals_the_reference(toy: Bundle, case: Case) -> None:
    assert np.array_equal(merged(case, toy).ids, reference_ids(case))


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases())
def test_random_heads_merge_as_in_the_reference(toy: Bundle, case: Case) -> None:
    assert_equals_the_reference(toy, case)


@pytest.mark.slow
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases())
def test_500_random_heads_merge_as_in_the_reference(toy: Bundle, case: Case) -> None:
    assert_equals_the_reference(toy, case)


@pytest.mark.parametrize("output", [(96, 180), (61, 233)], ids=str)
@pytest.mark.parametrize("grid", ["input", "output"])
def test_a_class_in_one_cell_of_many_merges_as_in_the_reference(
    grid: Grid, output: tuple[int, int], toy: Bundle
) -> None:
    # One class everywhere, above it another in every other cell, in turns longer than a run of cells: so where a run
    # begins a class leads that is nowhere in the run before.
    number = np.arange(24 * 45)
    semantic = np.zeros((133, 24 * 45), np.float32)
    semantic[100] = 1
    semantic[number[::2] % 133, number[::2]] = np.random.default_rng(3).uniform(3, 5, number[::2].size)
    heads = replace(smooth_heads(24, 45, classes=1), semantic=semantic.reshape(1, 133, 24, 45))
    merging = merging_of(grid).model_copy(update={"stuff_area": 0})

    assert_equals_the_reference(toy, Case(heads, Sizes((96, 180), (96, 180), output), merging, "coco"))


def golden_ids(
    arrays: NpzFile, row: dict[str, Any], semantic: np.ndarray, sizes: Sizes, toy: Bundle
) -> np.ndarray:
    """Merge a golden's maps, which have full size."""
    fields = {field: row[field] for field in MergingSpec.model_fields if field != "grid"}
    fields["top_k"] = fields["top_k"] or semantic[0].size + 1  # none is no limit
    merging = MergingSpec(grid="output", **fields)
    center = arrays[f"{row['name']}/ctr"].astype(np.float32)[None, None]
    offset = arrays[f"{row['name']}/off"].astype(np.float32)[None]
    case = Case(Heads(semantic[None], center, offset), sizes, merging, stride=1)
    things = row["things"]
    categories = tuple(
        CategorySpec(id=index, name=str(index), isthing=index in things, color=(0, 0, 0))
        for index in range(len(semantic))
    )
    manifest = manifest_of(toy.manifest, case).model_copy(update={"categories": categories})
    return merge_heads(case.heads, sizes, manifest, merging).ids


def rows_of(arrays: NpzFile, program: str) -> list[dict[str, Any]]:
    return [row for row in json.loads(str(arrays["index"])) if f"{row['name']}/{program}" in arrays]


def test_detectron2s_labels_of_given_classes_are_met_to_the_last_pixel(toy: Bundle) -> None:
    with np.load(GOLDENS / "post.npz") as arrays:
        rows = rows_of(arrays, "panoptic_d2")
        for row in rows:
            index = arrays[f"{row['name']}/sem"]
            semantic = np.eye(133, dtype=np.float32)[index].transpose(2, 0, 1).copy()
            found = golden_ids(arrays, row, semantic, Sizes(index.shape, index.shape, index.shape), toy)
            assert np.array_equal(found - 1, arrays[f"{row['name']}/panoptic_d2"]), row["name"]
    assert len(rows) > 20


def test_detectron2s_labels_of_cropped_and_resized_maps_are_met_to_the_last_pixel(toy: Bundle) -> None:
    with np.load(GOLDENS / "tail.npz") as arrays:
        rows = rows_of(arrays, "panoptic")
        for row in rows:
            semantic = arrays[f"{row['name']}/logits"].astype(np.float32)
            sizes = Sizes(*(tuple(size) for size in (semantic.shape[1:], row["crop"], row["out"])))
            found = golden_ids(arrays, row, semantic, sizes, toy)
            assert np.array_equal(found - 1, arrays[f"{row['name']}/panoptic"]), row["name"]
    assert len(rows) == 6


@pytest.mark.parametrize("top_k", [1, 5, 200])
@pytest.mark.parametrize("nms_kernel", [1, 7, 41])
@pytest.mark.parametrize("step", [0.0, 0.25])  # rounded heat makes plateaus and ties
def test_centers_equal_the_reference_exactly(step: float, nms_kernel: int, top_k: int, toy: Bundle) -> None:
    heat = smooth_heads(60, 70, seed=top_k).center[0, 0]
    heat = np.round(heat / step).astype(np.float32) * np.float32(step) if step else heat
    merging = merging_of("output", nms_kernel=nms_kernel, top_k=top_k)
    spec = toy.manifest.heads.model_copy(update={"stride": 1})

    found = find_centers(heat, Sizes((60, 70), (60, 70), (60, 70)), spec, merging)

    expected = reference.find_centers(torch.from_numpy(heat), merging.threshold, nms_kernel, top_k)
    assert np.array_equal(np.stack([found.y, found.x], axis=1), expected.numpy())


def test_more_peaks_than_there_is_room_for_at_first_are_all_found(toy: Bundle) -> None:
    merging = merging_of("output", top_k=100_000)
    spec = toy.manifest.heads.model_copy(update={"stride": 1})
    size = (80, 90)  # a plateau: every pixel is a peak

    found = find_centers(np.ones(size, np.float32), Sizes(size, size, size), spec, merging)

    assert len(found.heat) == 80 * 90


def assert_segment_laws(found: Panoptic, categories: tuple[CategorySpec, ...]) -> None:
    """Ids of picture and list are the same, areas and boxes tight, stuff one id a class, void never listed."""
    present = set(np.unique(found.ids).tolist()) - {0}
    assert [segment.id for segment in found.segments] == sorted(present)
    for segment in found.segments:
        y, x = np.nonzero(found.ids == segment.id)
        assert segment.area == len(y)
        box = (x.min(), y.min(), x.max() - x.min() + 1, y.max() - y.min() + 1)
        assert segment.bbox == box
        category = categories[segment.class_index]
        assert (segment.category_id, segment.label) == (category.id, category.name)
        assert segment.isthing == category.isthing
        assert segment.isthing or segment.center == pytest.approx((x.mean(), y.mean()))
        assert not category.isvoid
        assert 0 <= segment.score <= 1.0001
    stuff = [segment.class_index for segment in found.segments if not segment.isthing]
    assert len(stuff) == len(set(stuff))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 5), st.sampled_from(["input", "output"]))
def test_the_segment_laws_hold_at_every_size(
    toy: Bundle, rows: int, columns: int, seed: int, grid: Grid
) -> None:
    scale = min(64 / rows, 96 / columns)
    fitted = (max(1, round(rows * scale)), max(1, round(columns * scale)))
    case = Case(smooth_heads(16, 24, seed), Sizes((64, 96), fitted, (rows, columns)), merging_of(grid))

    assert_segment_laws(merged(case, toy), manifest_of(toy.manifest, case).categories)


def test_segments_below_the_score_asked_for_are_void(toy: Bundle) -> None:
    size = (64, 96)
    case = Case(smooth_heads(16, 24), Sizes(size, size, size), merging_of("input"))
    manifest = manifest_of(toy.manifest, case)
    every = merged(case, toy).segments
    middle = sorted(segment.score for segment in every)[len(every) // 2]

    found = merge_heads(case.heads, case.sizes, manifest, case.merging, min_score=middle)

    assert 0 < len(found.segments) < len(every)
    assert all(segment.score >= middle for segment in found.segments)
    assert_segment_laws(found, manifest.categories)


def test_a_score_is_the_mean_probability_of_the_class_times_the_heat_of_the_center(toy: Bundle) -> None:
    case = Case(smooth_heads(16, 24), Sizes((64, 96), (64, 96), (64, 96)), merging_of("input"))
    manifest = manifest_of(toy.manifest, case)
    car = next(index for index, each in enumerate(manifest.categories) if each.name == "car")
    semantic = np.zeros((1, 17, 16, 24), np.float32)
    semantic[0, car] = np.log(3 * 16)  # three quarters
    heat = np.zeros((1, 1, 16, 24), np.float32)
    heat[0, 0, 8:10, 12:14] = 0.8
    heads = Heads(semantic, heat, np.zeros((1, 2, 16, 24), np.float32))

    found = merge_heads(heads, case.sizes, manifest, case.merging)

    assert found.segments[0].label == "car"
    assert found.segments[0].score == pytest.approx(0.75 * 0.8, abs=1e-3)
