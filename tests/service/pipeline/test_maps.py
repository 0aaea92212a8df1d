"""Merging in the graph: the same segments as of heads, ids pixel for pixel, and no maps that cannot be right."""

from dataclasses import replace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from export.merging_graph import merging_graph
from export.merging_plan import Plan
from model.bundle import Bundle, Manifest
from model.fit import Sizes
from model.merged import MAPS, TABLES
from model.reading import middles, nearest_cells
from service.backends import Heads, Maps
from service.pipeline.maps import merge_maps
from service.pipeline.panoptic import Panoptic, merge_heads
from service.pipeline.soundness import HeadsNotFinite
from tests.service.pipeline.merging import Case, Grid, manifest_of, merging_of, smooth_heads

CELLS = (17, 29)


def case_of(stride: int, align_corners: bool, grid: Grid, seed: int = 0, *, reach: float = 6) -> Case:
    """Heads of a photograph of the bucket's own size."""
    rows, columns = (side * stride - (stride - 1 if align_corners else 0) for side in CELLS)
    size = (rows, columns)
    heads = smooth_heads(*CELLS, seed=seed, reach=reach)
    merging = merging_of(grid, top_k=40).model_copy(update={"stuff_area": 1})
    return Case(heads, Sizes(size, size, size), merging, stride=stride, align_corners=align_corners)


def maps_of(case: Case, manifest: Manifest, heads: Heads | None = None) -> Maps:
    heads = heads or case.heads
    things = tuple(index for index, each in enumerate(manifest.categories) if each.isthing)
    plan = Plan(case.sizes.input, CELLS, len(manifest.categories), manifest.heads, case.merging, things)
    session = onnxruntime.InferenceSession(
        merging_graph(plan).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    feed = {"semantic": heads.semantic, "center": heads.center, "offset": heads.offset}
    return Maps(*session.run([*MAPS, *TABLES], feed))


def assert_alike(found: Panoptic, expected: Panoptic) -> None:
    np.testing.assert_array_equal(found.ids, expected.ids)
    without_score = [segment._replace(score=0.0) for segment in found.segments]
    assert without_score == [segment._replace(score=0.0) for segment in expected.segments]
    assert [each.score for each in found.segments] == pytest.approx(
        [each.score for each in expected.segments], abs=1e-5
    )


def specks(panoptic: Panoptic, case: Case, manifest: Manifest) -> int:
    """Segments without any pixel that is read."""
    rows, columns = (middles(nearest_cells(CELLS[side], case.sizes, manifest.heads, side)) for side in (0, 1))
    read = set(np.unique(panoptic.ids[np.ix_(rows, columns)]).tolist())
    return sum(segment.id not in read for segment in panoptic.segments)


@pytest.mark.parametrize("grid", ["input", "output"])
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("stride", [4, 8])
def test_maps_become_the_segments_of_the_heads(
    stride: int, align_corners: bool, grid: Grid, toy: Bundle
) -> None:
    case = case_of(stride, align_corners, grid)
    manifest = manifest_of(toy.manifest, case)

    found = merge_maps(maps_of(case, manifest), case.sizes, manifest, case.merging)

    expected = merge_heads(case.heads, case.sizes, manifest, case.merging)
    assert len(expected.segments) > 10
    assert_alike(found, expected)


def test_a_segment_between_all_pixels_that_are_read_is_scored_alike(toy: Bundle) -> None:
    counted = 0
    for seed in range(4):
        case = case_of(8, True, "input", seed, reach=40)
        manifest = manifest_of(toy.manifest, case)
        expected = merge_heads(case.heads, case.sizes, manifest, case.merging)
        counted += specks(expected, case, manifest)

        assert_alike(merge_maps(maps_of(case, manifest), case.sizes, manifest, case.merging), expected)

    assert counted > 5


def test_a_picture_without_centers_has_stuff_alone(toy: Bundle) -> None:
    case = case_of(4, False, "input")
    cold = Heads(case.heads.semantic, case.heads.center * 0, case.heads.offset)
    manifest = manifest_of(toy.manifest, case)

    found = merge_maps(maps_of(case, manifest, cold), case.sizes, manifest, case.merging)

    assert_alike(found, merge_heads(cold, case.sizes, manifest, case.merging))
    assert not any(segment.isthing for segment in found.segments)


def test_what_scores_too_little_is_void_as_of_heads(toy: Bundle) -> None:
    case = case_of(4, False, "input")
    manifest = manifest_of(toy.manifest, case)
    every = merge_heads(case.heads, case.sizes, manifest, case.merging)
    least = float(np.median([segment.score for segment in every.segments])) + 1e-4

    found = merge_maps(maps_of(case, manifest), case.sizes, manifest, case.merging, min_score=least)

    expected = merge_heads(case.heads, case.sizes, manifest, case.merging, min_score=least)
    assert 0 < len(expected.segments) < len(every.segments)
    assert_alike(found, expected)


def test_rows_of_a_batch_keep_apart(toy: Bundle) -> None:
    cases = [case_of(4, False, "input", seed) for seed in range(3)]
    manifest = manifest_of(toy.manifest, cases[0])
    heads = Heads(
        *(
            np.concatenate([getattr(case.heads, name) for case in cases])
            for name in ("semantic", "center", "offset")
        )
    )

    maps = maps_of(cases[0], manifest, heads)

    for index, case in enumerate(cases):
        found = merge_maps(maps.row(index), case.sizes, manifest, case.merging)
        assert_alike(found, merge_heads(case.heads, case.sizes, manifest, case.merging))


@pytest.mark.parametrize("name", ["semantic", "center", "offset"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_maps_of_heads_that_are_no_numbers_are_refused(name: str, value: float, toy: Bundle) -> None:
    case = case_of(4, False, "input")
    manifest = manifest_of(toy.manifest, case)
    head = getattr(case.heads, name).copy()
    head[0, 0, 3, 5] = value
    unsound = maps_of(case, manifest, replace(case.heads, **{name: head}))

    with pytest.raises(HeadsNotFinite, match="NaN or infinity"):
        merge_maps(unsound, case.sizes, manifest, case.merging)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("classes", 17, "name class 17 of 17"),
        ("instances", 255, "to 255 of"),
        ("instances", 0, "centers 0 to"),
    ],
)
def test_maps_that_name_what_there_is_not_are_refused(field: str, value: int, told: str, toy: Bundle) -> None:
    case = case_of(4, False, "input")
    manifest = manifest_of(toy.manifest, case)
    maps: Any = maps_of(case, manifest)
    wrong = getattr(maps, field).copy()
    wrong[0, 0, 0] = value

    with pytest.raises(HeadsNotFinite, match=told):
        merge_maps(replace(maps, **{field: wrong}), case.sizes, manifest, case.merging)
