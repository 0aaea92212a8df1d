"""What is pasted from another picture."""

import torch

from model.curriculum import IGNORE
from model.training.augmentation import mix_classes, paste_things
from model.training.datasets import Sample

ROAD, SKY, CAR, PERSON = 0, 1, 2, 3


def sample(codes: list[list[int]], instances: list[list[int]], value: int, weight: float = 1.0) -> Sample:
    """A picture of one gray."""
    image = torch.full((3, len(codes), len(codes[0])), value, dtype=torch.uint8)
    return Sample(
        image, torch.tensor(codes, dtype=torch.uint8), torch.tensor(instances, dtype=torch.int16), weight
    )


TARGET = sample([[ROAD, ROAD, CAR, CAR]], [[0, 0, 1, 1]], 10)


def test_all_pixels_of_a_chosen_class_are_pasted_and_none_of_the_others() -> None:
    torch.manual_seed(0)
    source = sample([[SKY, PERSON, SKY, PERSON]], [[0, 1, 0, 2]], 200)

    mixed = mix_classes(TARGET, source)

    pasted = mixed.image[0] == 200
    assert pasted.any() and not pasted.all()
    assert len(source.codes[pasted].unique()) == 1
    assert torch.equal(mixed.codes, torch.where(pasted, source.codes, TARGET.codes))


def test_pasted_instances_stay_apart_from_those_that_were_there() -> None:
    source = sample([[CAR, CAR, CAR, IGNORE]], [[1, 1, -1, 0]], 200)

    mixed = mix_classes(TARGET, source)

    assert mixed.instances.tolist() == [[3, 3, -1, 1]]  # what is no known instance stays unknown


def test_what_is_not_labelled_is_not_pasted() -> None:
    nothing = sample([[IGNORE] * 4], [[0] * 4], 200)

    mixed = mix_classes(TARGET, nothing)

    assert torch.equal(mixed.image, TARGET.image) and torch.equal(mixed.codes, TARGET.codes)


def test_of_things_whole_instances_are_pasted() -> None:
    source = sample([[SKY, PERSON, PERSON, SKY]], [[0, 1, 1, 0]], 200)

    pasted = paste_things(TARGET, source, frozenset({CAR, PERSON}))

    assert pasted.codes.tolist() == [[ROAD, PERSON, PERSON, CAR]]
    assert pasted.instances.tolist() == [[0, 3, 3, 1]]
