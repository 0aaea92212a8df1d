"""The limits on paper: what a GPU could do at best, so that a measured figure has a limit to stand beside.

`python -m benchmarks.roofline`. Arithmetic and traffic are counted on the network itself, without weights. The limit is
the larger of arithmetic over the peak of dense products and of traffic over the memory's bandwidth, every convolution
reading its input, its weights and writing its output once: neither is reached by any program. Copies are of one
picture over the bus: bytes in, heads out, and out again where the merging is in the graph.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from model.categories import load_categories
from model.network.panoptic_deeplab import PanopticDeepLab
from model.parity.report import markdown_line, multiply_adds
from model.variants import Variant, find_variant

VARIANTS = (
    "r52-dc5",
    "r52-dc5-dsconv",
    "hrnet48",
    "xception65-dc5",
    "mobilenet-v2-os32",
    "efficientnet-lite0",
)
BYTES = {"fp32": 4, "fp16": 2}


@dataclass(frozen=True)
class Gpu:
    """Peaks of one GPU, dense, by its maker's data sheet."""

    name: str
    teraflops: dict[str, float]
    gigabytes_s: float  # of its memory
    bus_gigabytes_s: float  # of PCIe, one way


GPUS = (
    Gpu("H100 SXM", {"fp32": 67, "fp16": 989}, 3350, 64),
    Gpu("L4", {"fp32": 30.3, "fp16": 121}, 300, 32),
)


@dataclass(frozen=True)
class Work:
    """What one picture asks for."""

    variant: Variant
    size: tuple[int, int]
    flops: float
    values: float  # numbers that convolutions read and write, weights among them

    def limit_ms(self, gpu: Gpu, precision: str) -> float:
        """Milliseconds that no program can beat."""
        arithmetic = self.flops / (gpu.teraflops[precision] * 1e12)
        traffic = self.values * BYTES[precision] / (gpu.gigabytes_s * 1e9)
        return 1000 * max(arithmetic, traffic)

    @property
    def copied(self) -> tuple[int, int, int]:
        """Bytes in, bytes of heads out, bytes of merged maps out."""
        rows, columns = self.size
        stride = self.variant.stride
        cells = -(-rows // stride) * -(-columns // stride)
        channels = len(load_categories(self.variant.label_set)) + 3
        return 3 * rows * columns, 4 * channels * cells, 2 * rows * columns


def main() -> None:
    """Print both tables in Markdown."""
    works = [count(find_variant(name)) for name in VARIANTS]
    columns = [f"{gpu.name} {precision}, ms" for gpu in GPUS for precision in BYTES]
    _head(["variant", "size", "GFLOPs", "GB in fp32", *columns])
    for work in works:
        limits = [f"{work.limit_ms(gpu, precision):.2f}" for gpu in GPUS for precision in BYTES]
        cells = [f"`{work.variant.name}`", f"{work.size[0]}×{work.size[1]}", f"{work.flops / 1e9:.0f}"]
        print(markdown_line([*cells, f"{4 * work.values / 1e9:.2f}", *limits]))
    print()
    _head(
        ["variant", "in, MB", "heads, MB", "maps, MB", *(f"heads over {gpu.name}'s bus, ms" for gpu in GPUS)]
    )
    for work in works:
        into, heads, maps = work.copied
        times = [f"{1000 * (into + heads) / (gpu.bus_gigabytes_s * 1e9):.2f}" for gpu in GPUS]
        sizes = [f"{each / 1e6:.1f}" for each in (into, heads, maps)]
        print(markdown_line([f"`{work.variant.name}`", *sizes, *times]))


def count(variant: Variant) -> Work:
    """Count one picture of the published size."""
    rows, columns = variant.input.size
    values = 0.0

    def add(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal values
        values += sum(each.numel() for each in (*inputs, output, *layer.parameters()))

    with torch.device("meta"):
        network = PanopticDeepLab(variant).eval()
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                layer.register_forward_hook(add)
        network(torch.empty(1, 3, rows, columns))
    return Work(variant, (rows, columns), 2 * multiply_adds(variant, rows, columns), values)


def _head(titles: list[str]) -> None:
    print(markdown_line(titles))
    print(markdown_line(["---", *["--:"] * (len(titles) - 1)]))


if __name__ == "__main__":
    main()
