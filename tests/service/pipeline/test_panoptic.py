"""Merging in numpy against the reference in torch, and the segments against their picture."""

from dataclasses import replace
from typing import Literal

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model import grouping as reference
from model.bundle import Bundle, CategorySpec, Manifest, MergingSpec
from model.categories import load_categories
from model.fit import Sizes
from model.network.panoptic_deeplab import Heads as TorchHeads
from model.tail import finish
from model.variants import EFFICIENTNET_LITE0, Merging
from service.backends import Heads
from service.pipeline.grouping import find_centers, nearest_center
from service.pipeline.panoptic import Panoptic, merge_heads

CATEGORIES = load_categories("street")
Grid = Literal["input", "output"]


def smooth_heads(rows: int, columns: int, seed: int = 0) -> Heads:
    """Random heads that vary slowly, as a network's do."""
    rng = np.random.default_rng(seed)

    def field(channels: int, step: int) -> np.ndarray:
        coarse = rng.standard_normal((channels, rows // step + 3, columns // step + 3)).astype(np.float32)
        return np.stack(
            [cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_CUBIC) for plane in coarse]
        )

    heat = np.minimum(field(1, 4) * np.float32(0.5), np.float32(1.5))
    return Heads(field(len(CATEGORIES), 6)[None] * 3, heat[None], field(2, 5)[None] * 6)


def manifest_of(toy: Bundle, *, align_corners: bool, merging: MergingSpec) -> Manifest:
    categories = tuple(
        CategorySpec(id=each.id, name=each.name, isthing=each.isthing, color=each.color, isvoid=each.isvoid)
        for each in CATEGORIES
    )
    heads = toy.manifest.heads.model_copy(update={"align_corners": align_corners})
    return toy.manifest.model_copy(update={"categories": categories, "heads": heads, "merging": merging})


def merging_of(grid: Grid) -> MergingSpec:
    return MergingSpec(grid=grid, threshold=0.2, nms_kernel=7, top_k=60, stuff_area=40, label_divisor=1000)


def reference_ids(heads: Heads, sizes: Sizes, merging: MergingSpec, *, align_corners: bool) -> np.ndarray:
    variant = replace(
        EFFICIENTNET_LITE0,
        align_corners=align_corners,
        merging=Merging(merging.threshold, merging.nms_kernel, merging.top_k, merging.stuff_area),
    )
    torch_heads = TorchHeads(*(torch.from_numpy(x) for x in (heads.semantic, heads.center, heads.offset)))
    return finish(torch_heads, variant, sizes, grid=merging.grid).labels.numpy() + 1


SIZES = [
    Sizes((64, 96), (64, 96), (64, 96)),
    Sizes((64, 96), (64, 90), (171, 240)),
    Sizes((64, 96), (50, 96), (33, 64)),
    Sizes((61, 93), (61, 93), (100, 131)),
]


@pytest.mark.parametrize("grid", ["input", "output"])
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_merging_equals_the_reference(sizes: Sizes, align_corners: bool, grid: Grid, toy: Bundle) -> None:
    merging = merging_of(grid)
    cells = [(side + 3) // 4 for side in sizes.input]
    heads = smooth_heads(cells[0], cells[1], seed=sum(sizes.output))

    found = merge_heads(heads, sizes, manifest_of(toy, align_corners=align_corners, merging=merging), merging)

    expected = reference_ids(heads, sizes, merging, align_corners=align_corners)
    assert len(np.unique(expected)) > 8
    assert (found.ids == expected).mean() >= 0.9999


def test_a_band_of_rows_changes_nothing(toy: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    merging, sizes = merging_of("input"), Sizes((64, 96), (64, 90), (171, 240))
    manifest, heads = manifest_of(toy, align_corners=False, merging=merging), smooth_heads(16, 24)
    whole = merge_heads(heads, sizes, manifest, merging)

    monkeypatch.setattr("service.pipeline.enlarge._BAND_VALUES", 5000)
    monkeypatch.setattr("service.pipeline.segments._BAND_PIXELS", 1000)

    assert np.array_equal(merge_heads(heads, sizes, manifest, merging).ids, whole.ids)


@pytest.mark.parametrize("top_k", [1, 5, 200])
@pytest.mark.parametrize("nms_kernel", [1, 7, 41])
@pytest.mark.parametrize("step", [0.0, 0.25])  # rounded heat makes plateaus and ties
def test_centers_equal_the_reference_exactly(step: float, nms_kernel: int, top_k: int) -> None:
    heat = smooth_heads(60, 70, seed=top_k).center[0, 0]
    heat = np.round(heat / step).astype(np.float32) * np.float32(step) if step else heat

    found = find_centers(heat, threshold=0.1, nms_kernel=nms_kernel, top_k=top_k)

    expected = reference.find_centers(torch.from_numpy(heat), 0.1, nms_kernel, top_k)
    assert np.array_equal(found, expected.numpy())


@pytest.mark.parametrize("seed", range(5))
def test_votes_go_to_the_same_center_as_in_the_reference_ties_too(seed: int) -> None:
    rng = np.random.default_rng(seed)
    centers = rng.integers(0, 40, (30, 2))
    votes = (rng.integers(0, 160, (2, 50, 60)) / 4).astype(np.float32)

    found = nearest_center(centers, votes.reshape(2, -1))

    expected = reference.nearest_center(torch.from_numpy(centers), torch.from_numpy(votes))
    assert np.array_equal(found.reshape(50, 60) + 1, expected.numpy())


@pytest.mark.parametrize("grid", ["input", "output"])
@pytest.mark.parametrize("seed", range(4))
def test_maps_of_one_size_give_exactly_the_reference_labels(seed: int, grid: Grid, toy: Bundle) -> None:
    merging = merging_of(grid)
    heads = smooth_heads(48, 64, seed=seed)
    manifest = manifest_of(toy, align_corners=False, merging=merging)
    spec = manifest.heads.model_copy(update={"stride": 1})
    size = (48, 64)

    found = merge_heads(heads, Sizes(size, size, size), manifest.model_copy(update={"heads": spec}), merging)

    expected = reference.panoptic(
        torch.from_numpy(heads.semantic[0]).argmax(dim=0),
        torch.from_numpy(heads.center[0, 0]),
        torch.from_numpy(heads.offset[0]),
        things=tuple(each.index for each in CATEGORIES if each.isthing),
        voids=tuple(each.index for each in CATEGORIES if each.isvoid),
        threshold=merging.threshold,
        nms_kernel=merging.nms_kernel,
        top_k=merging.top_k,
        stuff_area=merging.stuff_area,
        label_divisor=merging.label_divisor,
    )
    assert np.array_equal(found.ids, expected.numpy() + 1)


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
        assert not category.isvoid
        assert 0 <= segment.score <= 1
    stuff = [segment.class_index for segment in found.segments if not segment.isthing]
    assert len(stuff) == len(set(stuff))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 5), st.sampled_from(["input", "output"]))
def test_the_segment_laws_hold_at_every_size(
    toy: Bundle, rows: int, columns: int, seed: int, grid: Grid
) -> None:
    merging = merging_of(grid)
    manifest = manifest_of(toy, align_corners=False, merging=merging)
    scale = min(64 / rows, 96 / columns)
    fitted = (max(1, round(rows * scale)), max(1, round(columns * scale)))

    found = merge_heads(
        smooth_heads(16, 24, seed), Sizes((64, 96), fitted, (rows, columns)), manifest, merging
    )

    assert_segment_laws(found, manifest.categories)


def test_segments_below_the_score_asked_for_are_void(toy: Bundle) -> None:
    merging = merging_of("input")
    manifest, heads = manifest_of(toy, align_corners=False, merging=merging), smooth_heads(16, 24)
    size = (64, 96)
    sizes = Sizes(size, size, size)
    every = merge_heads(heads, sizes, manifest, merging).segments
    middle = sorted(segment.score for segment in every)[len(every) // 2]

    found = merge_heads(heads, sizes, manifest, merging, min_score=middle)

    assert 0 < len(found.segments) < len(every)
    assert all(segment.score >= middle for segment in found.segments)
    assert_segment_laws(found, manifest.categories)


def test_a_score_is_the_mean_probability_of_the_class_times_the_heat_of_the_center(toy: Bundle) -> None:
    merging = merging_of("input")
    manifest = manifest_of(toy, align_corners=False, merging=merging)
    car = next(each.index for each in CATEGORIES if each.name == "car")
    semantic = np.zeros((1, len(CATEGORIES), 16, 24), np.float32)
    semantic[0, car] = np.log(3 * (len(CATEGORIES) - 1))  # three quarters
    heat = np.zeros((1, 1, 16, 24), np.float32)
    heat[0, 0, 8:10, 12:14] = 0.8
    size = (64, 96)

    found = merge_heads(
        Heads(semantic, heat, np.zeros((1, 2, 16, 24), np.float32)),
        Sizes(size, size, size),
        manifest,
        merging,
    )

    assert found.segments[0].label == "car"
    assert found.segments[0].score == pytest.approx(0.75 * 0.8, abs=1e-3)
