"""Stages: every one is measured, on drawn scenes of known content."""

import numpy as np
import pytest

from model.bundle import Bundle
from model.declaration import category_specs, heads_spec, merging_spec
from model.fit import Sizes
from model.scene import draw_scene, variant_of
from service.backends import Heads
from service.bench.stages import (
    CLASSES,
    MEGAPIXELS,
    STAGES,
    Point,
    growth,
    measure_around,
    measure_bundle,
    size_of,
)
from service.pipeline.panoptic import Panoptic, merge_heads
from service.settings import Settings


def merged(bundle: Bundle, instances: int, classes: int = 19) -> Panoptic:
    """The answer to a drawn scene of 256 x 512."""
    variant, size = variant_of(classes), (256, 512)
    manifest = bundle.manifest.model_copy(
        update={"heads": heads_spec(variant), "categories": category_specs(variant)}
    )
    scene = draw_scene(size, isthing=[each.isthing for each in manifest.categories], instances=instances)
    heads = Heads(scene.semantic, scene.center, scene.offset)
    return merge_heads(heads, Sizes(size, size, size), manifest, merging_spec(variant, "output"))


@pytest.mark.parametrize("instances", [0, 1, 7, 30])
def test_a_scene_has_as_many_things_as_were_asked_for(instances: int, toy: Bundle) -> None:
    assert sum(segment.isthing for segment in merged(toy, instances).segments) == instances


@pytest.mark.parametrize("classes", CLASSES)
def test_a_scene_has_stuff_of_several_classes(classes: int, toy: Bundle) -> None:
    assert sum(not segment.isthing for segment in merged(toy, 0, classes).segments) >= 4


def test_a_scene_is_the_same_every_time() -> None:
    first, second = (draw_scene((64, 128), isthing=[False, True], instances=3) for _ in range(2))

    assert np.array_equal(first.semantic, second.semantic)
    assert np.array_equal(first.offset, second.offset)


def test_more_things_than_there_is_room_for_are_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        draw_scene((64, 64), isthing=[False, True], instances=30)


def test_classes_that_no_label_set_has_are_refused() -> None:
    with pytest.raises(ValueError, match="17, 19, 133"):
        variant_of(20)


def test_around_the_network_every_other_stage_is_measured() -> None:
    point = measure_around((64, 128), instances=2, classes=19, seconds=0)

    assert list(point.costs) == [stage for stage in STAGES if stage != "infer"]
    assert all(cost > 0 for cost in point.costs.values())


def test_of_a_bundle_every_stage_is_measured(toy: Bundle) -> None:
    costs = measure_bundle(Settings(bundle=toy.path, threads=1), None, seconds=0)

    assert tuple(costs) == STAGES


def test_a_cost_in_proportion_to_the_pixels_grows_with_the_power_one() -> None:
    points = [Point(size, 30, 19, {"group": size[0] * size[1] * 1e-6}) for size in map(size_of, MEGAPIXELS)]

    assert growth(points) == pytest.approx(1)


def test_the_sizes_of_the_curve_have_their_megapixels() -> None:
    assert [Point(size_of(each), 0, 19, {}).megapixels for each in MEGAPIXELS] == pytest.approx(
        MEGAPIXELS, rel=0.03
    )
