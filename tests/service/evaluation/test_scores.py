import numpy as np
import pytest
import torch
import torch.nn.functional as F

from model.bundle import Bundle
from model.fit import Sizes
from service.backends import Heads
from service.evaluation.scores import read_heads
from service.pipeline.panoptic import merge_heads

SIZES = Sizes((96, 128), (90, 120), (135, 180))


@pytest.fixture
def heads() -> Heads:
    """Noise with two warm places."""
    rng = np.random.default_rng(5)
    center = rng.random((1, 1, 24, 32), np.float32) * 0.2
    center[0, 0, 6, 8], center[0, 0, 16, 22] = 0.9, 0.8
    semantic = rng.standard_normal((1, 6, 24, 32)).astype(np.float32)
    return Heads(semantic, center, np.zeros((1, 2, 24, 32), np.float32))


def enlarged(values: np.ndarray) -> torch.Tensor:
    """Detectron2's way of a head: times four, cropped, to the photograph."""
    whole = F.interpolate(torch.from_numpy(values), scale_factor=4, mode="bilinear", align_corners=False)
    return F.interpolate(whole[:, :, :90, :120], size=SIZES.output, mode="bilinear", align_corners=False)[0]


def test_classes_are_the_largest_logits_at_the_photographs_size(toy: Bundle, heads: Heads) -> None:
    panoptic = merge_heads(heads, SIZES, toy.manifest, toy.manifest.merging)

    classes = read_heads(heads, SIZES, toy.manifest, panoptic).classes

    assert (torch.from_numpy(classes) == enlarged(heads.semantic).argmax(dim=0)).float().mean() > 0.9999


def test_the_score_is_detectron2s(toy: Bundle, heads: Heads) -> None:
    panoptic = merge_heads(heads, SIZES, toy.manifest, toy.manifest.merging)

    scores = read_heads(heads, SIZES, toy.manifest, panoptic).scores

    probabilities, heat = enlarged(heads.semantic).softmax(dim=0), enlarged(heads.center)[0]
    things = [segment for segment in panoptic.segments if segment.isthing]
    assert len(things) >= 2
    for segment in things:
        mask = torch.from_numpy(panoptic.ids == segment.id)
        y, x = mask.nonzero().float().mean(dim=0).tolist()
        expected = probabilities[segment.class_index][mask].mean() * heat[int(y), int(x)]
        assert scores[segment.id] == pytest.approx(float(expected), rel=1e-4)


def test_an_answer_without_things_has_no_scores(toy: Bundle, heads: Heads) -> None:
    cold = Heads(heads.semantic, heads.center * 0, heads.offset)
    panoptic = merge_heads(cold, SIZES, toy.manifest, toy.manifest.merging)

    assert read_heads(cold, SIZES, toy.manifest, panoptic).scores == {}
