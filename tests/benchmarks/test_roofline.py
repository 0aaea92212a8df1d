"""The roofline: limits follow from counted work and stated peaks."""

import pytest

from benchmarks.roofline import GPUS, Gpu, Work, count
from model.variants import EFFICIENTNET_LITE0


def test_the_limit_is_the_larger_of_arithmetic_and_traffic() -> None:
    gpu = Gpu("one", {"fp32": 1, "fp16": 10}, 100, 10)
    work = Work(EFFICIENTNET_LITE0, (384, 512), flops=4e9, values=1e8)

    assert work.limit_ms(gpu, "fp32") == pytest.approx(4.0)  # both take 4 ms
    assert work.limit_ms(gpu, "fp16") == pytest.approx(2.0)  # traffic halves, arithmetic takes a tenth


def test_the_embedded_network_is_counted_at_its_own_size() -> None:
    work = count(EFFICIENTNET_LITE0)

    assert work.size == (384, 512)
    assert work.copied == (3 * 384 * 512, 4 * 20 * 96 * 128, 2 * 384 * 512)
    assert 0 < work.limit_ms(GPUS[0], "fp16") < work.limit_ms(GPUS[1], "fp32")
