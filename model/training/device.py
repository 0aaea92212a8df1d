"""Where a training computes: on processors, or one process a GPU, joined by torchrun; and in which precision.

Mixed precision is bfloat16: its range is float32's, so that small gradients survive without a loss scale, and there is
no scaler to tune or to resume. Weights, losses and the optimizer stay float32.
"""

import os
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

PATIENCE = timedelta(hours=12)
"""How long processes wait for one another: the first one validates while the others stand still."""


@dataclass(frozen=True)
class Compute:
    """One process's device, the precision of its network, and its place among the processes."""

    device: torch.device
    precision: torch.dtype = torch.float32
    rank: int = 0
    world: int = 1

    def autocast(self) -> torch.autocast:
        """The context in which the network runs, in lower precision where it was chosen."""
        lower = self.precision != torch.float32
        return torch.autocast(self.device.type, self.precision if lower else None, enabled=lower)

    @property
    def on_gpu(self) -> bool:
        """Whether a GPU computes."""
        return self.device.type == "cuda"


ON_CPU = Compute(torch.device("cpu"))


def choose_compute(device: str = "auto", precision: str = "auto") -> Compute:
    """Choose for this process alone.

    Args:
        device:    cpu, cuda, or auto, which takes a GPU where there is one.
        precision: float32, bfloat16, or auto, which takes bfloat16 on GPUs that compute in it.
    Raises: ValueError: there is no such device here, or fewer than torchrun started processes.
    """
    chosen = torch.device("cpu")
    if device == "cuda" or (device == "auto" and torch.cuda.is_available()):
        chosen = _own_gpu(int(os.environ.get("LOCAL_RANK", "0")))
    if precision == "auto":
        precision = "bfloat16" if chosen.type == "cuda" and _computes_in_bfloat16() else "float32"
    return Compute(chosen, {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision])


def join_processes(compute: Compute) -> Compute:
    """Join the processes that torchrun started, by nccl on GPUs and gloo on processors; alone without it."""
    if "RANK" not in os.environ:
        return compute
    if compute.on_gpu:
        torch.cuda.set_device(compute.device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if compute.on_gpu else "gloo", timeout=PATIENCE)
    return Compute(compute.device, compute.precision, dist.get_rank(), dist.get_world_size())


def leave_processes() -> None:
    """Leave the group that was joined, if one was."""
    if dist.is_initialized():
        dist.destroy_process_group()


def distribute(network: nn.Module, compute: Compute, *, sync_norm: bool) -> nn.Module:
    """Wrap the network so that gradients are shared; alone it stays as it is.

    Args:
        sync_norm: batch norms see all processes' pictures. torch has that for GPUs only.
    """
    if compute.world == 1:
        return network
    if sync_norm and compute.on_gpu:
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    return DistributedDataParallel(network, device_ids=[compute.device] if compute.on_gpu else None)


def _own_gpu(number: int) -> torch.device:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        built = torch.version.cuda or "none"
        raise ValueError(
            f"there is no CUDA device here (torch {torch.__version__}, CUDA {built}). "
            "Take --device cpu, or a torch that is built for CUDA on a machine with a GPU."
        )
    if number >= count:
        raise ValueError(
            f"this is process {number + 1} of a machine with {count} GPUs, and each takes one: "
            f"give torchrun --nproc-per-node {count} at most"
        )
    return torch.device("cuda", number)


def _computes_in_bfloat16() -> bool:
    return torch.cuda.is_bf16_supported(including_emulation=False)
