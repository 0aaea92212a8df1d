"""The engine on the device that was asked for; on the processor only where that is allowed, and then it is said."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Literal

from model.bundle import Bundle, BundleError, Precision
from service.backends import CPU, GPU_RUNTIMES, RUNTIMES, Backend, Device, Runtime, open_backend
from service.pipeline.choice import Choice, choose_backend

FALLBACK = "Mend that, or let the processor stand in by --device-fallback true."


def choose_on_device(
    bundle: Bundle,
    device: Device,
    *,
    fallback: bool,
    runtime: Runtime | Literal["auto"] = "auto",
    precision: Precision | Literal["auto"] = "auto",
    threads: int,
    open_: Callable[..., Backend] = open_backend,
) -> Choice:
    """Open the engine that was asked for, or the quickest there.

    Args:
        fallback: whether the processor may stand in for a GPU that cannot be used; the choice tells why it did.
        open_: as `open_backend`.

    Raises: BundleError: nothing can be used, or no GPU and no fallback.
    """
    choose = partial(choose_backend, bundle, threads=threads)
    if device.gpu is None:
        return choose(runtime=runtime, precision=precision, open_=open_)
    on_gpu = partial(open_, device=device)
    try:
        return choose(runtime=runtime, precision=precision, runtimes=GPU_RUNTIMES, open_=on_gpu)
    except BundleError as error:
        if not fallback:
            raise BundleError(f"{device} was asked for. {error} {FALLBACK}") from error
        stand_in = runtime if runtime in RUNTIMES else "auto"
        choice = choose(runtime=stand_in, precision="auto", open_=partial(open_, device=CPU))
        return replace(choice, fallback=str(error))
