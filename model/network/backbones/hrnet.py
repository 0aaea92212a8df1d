"""HRNet: branches at strides 4 to 32 side by side, which exchange what they found again and again.

Source: Wang et al. 2020. Every upsampling inside aligns corners, whatever the variant's decoders do.
"""

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn

from model.network.layers import ConvNorm
from model.network.residual import EXPANSION, BasicBlock, Bottleneck
from model.variants import HighResolution

FEATURES = ("res2", "res3", "res4", "res5")


class HighResolutionBackbone(nn.Module):
    """Images to res2 .. res5: the four branches."""

    def __init__(self, spec: HighResolution):
        super().__init__()
        stem = spec.stem_channels
        widths = [spec.width << branch for branch in range(len(FEATURES))]
        self.channels = dict(zip(FEATURES, widths, strict=True))
        self.stem = nn.Sequential(
            OrderedDict(conv1=ConvNorm(3, stem, 3, stride=2), conv2=ConvNorm(stem, stem, 3, stride=2))
        )
        wide = stem * EXPANSION
        self.layer1 = nn.Sequential(
            *(Bottleneck(stem if index == 0 else wide, stem, wide) for index in range(spec.bottlenecks))
        )
        self.transition1 = nn.ModuleList(
            [ConvNorm(wide, widths[0], 3), ConvNorm(wide, widths[1], 3, stride=2)]
        )
        self.stage2 = _stage(widths[:2], spec.exchanges[0], spec.blocks)
        self.transition2 = ConvNorm(widths[1], widths[2], 3, stride=2)
        self.stage3 = _stage(widths[:3], spec.exchanges[1], spec.blocks)
        self.transition3 = ConvNorm(widths[2], widths[3], 3, stride=2)
        self.stage4 = _stage(widths, spec.exchanges[2], spec.blocks)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) to features at strides 4, 8, 16 and 32."""
        x = self.layer1(self.stem(images))
        branches = self.stage2([transition(x) for transition in self.transition1])
        branches = self.stage3([*branches, self.transition2(branches[-1])])
        branches = self.stage4([*branches, self.transition3(branches[-1])])
        return dict(zip(FEATURES, branches, strict=True))


class Exchange(nn.Module):
    """Basic blocks on each branch, then every branch becomes the sum of what all send it."""

    def __init__(self, widths: list[int], blocks: int):
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width) for _ in range(blocks))) for width in widths
        )
        count = range(len(widths))
        self.paths = nn.ModuleList(
            nn.ModuleList(_path(widths, source, target) for source in count) for target in count
        )

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """[(N, C, H, W), ...], fine to coarse, to the same shapes."""
        branches = [module(x) for module, x in zip(self.branches, branches, strict=True)]
        return [self._gather(branches, target) for target in range(len(branches))]

    def _gather(self, branches: list[Tensor], target: int) -> Tensor:
        size = branches[target].shape[2:]
        total: Tensor | None = None
        for source, x in enumerate(branches):
            y = self.get_submodule(f"paths.{target}.{source}")(x)
            if source > target:
                y = F.interpolate(y, size=size, mode="bilinear", align_corners=True)
            total = y if total is None else total + y
        assert total is not None
        return F.relu(total)


def _stage(widths: list[int], exchanges: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(Exchange(widths, blocks) for _ in range(exchanges)))


def _path(widths: list[int], source: int, target: int) -> nn.Module:
    """What one branch's map goes through on its way to another: 1x1 from coarser, 3x3 at stride 2 from finer ones."""
    if source == target:
        return nn.Identity()
    if source > target:
        return ConvNorm(widths[source], widths[target], activation=None)
    steps = [ConvNorm(widths[source], widths[source], 3, stride=2) for _ in range(target - source - 1)]
    return nn.Sequential(*steps, ConvNorm(widths[source], widths[target], 3, stride=2, activation=None))
