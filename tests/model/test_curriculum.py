import json
from importlib.resources import files

import pytest

from model.categories import Category, load_categories
from model.curriculum import IGNORE, load_curriculum

STREET = load_curriculum("street")
INDEX = {category.name: category.index for category in load_categories("street")}


def test_what_a_data_set_does_not_label_is_ignored_there() -> None:
    assert STREET.data_sets["labelmefacade"].code("various") == IGNORE


def test_what_coco_labels_and_a_street_has_not_is_other() -> None:
    assert STREET.data_sets["coco"].code("pizza") == INDEX["other"]


def test_facades_vegetation_may_be_grass() -> None:
    union = STREET.unions[STREET.data_sets["labelmefacade"].code("vegetation") - len(STREET.categories)]
    assert union == (INDEX["vegetation"], INDEX["terrain"])


def test_things_belong_to_instances_and_a_mixed_union_does_not() -> None:
    things = STREET.things()
    assert STREET.data_sets["camvid"].code("car") in things
    assert STREET.data_sets["coco"].code("backpack") not in things


@pytest.mark.parametrize("category", STREET.categories, ids=lambda category: category.name)
def test_every_class_of_the_street_is_taught_by_some_data_set(category: Category) -> None:
    taught = {code for teaching in STREET.data_sets.values() for code in teaching.codes.values()}
    taught |= {teaching.default for teaching in STREET.data_sets.values()}
    assert category.index in taught


def test_street_classes_have_the_ids_names_and_colours_of_cityscapes() -> None:
    cityscapes = {c.name: (c.id, c.isthing, c.color) for c in load_categories("cityscapes")}
    street = {c.name: (c.id, c.isthing, c.color) for c in load_categories("street") if not c.isvoid}
    assert street.items() <= cityscapes.items()


def test_a_class_that_the_label_set_has_not_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (files("model.curriculum") / "street.json").read_text()
    broken = json.loads(text)
    broken["data_sets"]["camvid"]["classes"]["road"] = "rode"
    monkeypatch.setattr(json, "loads", lambda _: broken)
    with pytest.raises(ValueError, match="teaches 'rode'"):
        load_curriculum("street")


def test_an_unknown_curriculum_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="no curriculum 'rural'; there are cityscapes, coco, street"):
        load_curriculum("rural")
