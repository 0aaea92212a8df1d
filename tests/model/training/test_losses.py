import torch
import torch.nn.functional as F

from model.curriculum import IGNORE
from model.network.panoptic_deeplab import Heads
from model.training.losses import LossSpec, hard_pixel_mean, panoptic_losses, pixel_loss
from model.training.targets import Targets

UNIONS = ((1, 2), (0, 3))
LOGITS = torch.randn(2, 4, 5, 6, generator=torch.Generator().manual_seed(3))


def test_without_unions_it_is_cross_entropy() -> None:
    codes = torch.randint(4, (2, 5, 6), generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(
        pixel_loss(LOGITS, codes, ()), F.cross_entropy(LOGITS, codes, reduction="none")
    )


def test_a_union_counts_the_sum_of_its_classes_probabilities() -> None:
    codes = torch.full((2, 5, 6), 4)  # the first union
    probability = LOGITS.softmax(dim=1)[:, [1, 2]].sum(dim=1)
    torch.testing.assert_close(pixel_loss(LOGITS, codes, UNIONS), -probability.log())


def test_ignored_pixels_have_no_loss_and_no_gradient() -> None:
    logits = LOGITS.clone().requires_grad_()
    codes = torch.full((2, 5, 6), IGNORE)
    loss = pixel_loss(logits, codes, UNIONS).sum()
    loss.backward()
    assert loss == 0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


def test_the_hardest_fifth_is_averaged() -> None:
    assert hard_pixel_mean(torch.arange(10.0), 0.2) == 8.5


def test_every_loss_is_weighed_by_what_is_known() -> None:
    ones = torch.ones(1, 1, 4, 4)
    weight = ones.clone()
    weight[..., 2:, :] = 0
    targets = Targets(
        codes=torch.full((1, 4, 4), IGNORE), semantic_weight=ones[0], center=ones, center_weight=weight,
        offset=ones.expand(1, 2, 4, 4), offset_weight=weight,
    )  # fmt: skip
    heads = Heads(torch.zeros(1, 3, 4, 4), 3 * ones, torch.zeros(1, 2, 4, 4))
    losses = panoptic_losses(heads, targets, (), LossSpec(center=10.0, offset=5.0))
    assert losses.semantic == 0
    assert losses.center == 10 * 4
    assert losses.offset == 5 * 2
    assert losses.total == 50
