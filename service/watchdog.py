"""The watchdog: finds out that an engine hangs, or fails whatever it is given."""

import asyncio
import math
from io import BytesIO

from PIL import Image

from service.http.readiness import Readiness
from service.pipeline.batcher import BatcherClosed
from service.pipeline.predictor import Predictor
from service.pipeline.queue import QueueFull, clock

_FAILURES = 3  # in a row, before a picture that harms no sound engine decides
_LOOKS = 4  # within the time that a batch may take


async def watch(readiness: Readiness, timeout_s: float) -> str:
    """Wait until an engine is lost: why it is.

    Args:
        timeout_s: time that one batch may take.
    """
    while True:
        await asyncio.sleep(min(1.0, timeout_s / _LOOKS))
        for predictor in readiness.working():
            if reason := await illness(predictor, timeout_s):
                return reason


async def illness(predictor: Predictor, timeout_s: float) -> str:
    """Why a predictor will answer nobody any more; empty where it is well."""
    batcher, gpu = predictor.batcher, predictor.backend.gpu
    if gpu is not None and gpu.lost:
        return f"{gpu.lost} The process ends."
    since = batcher.running_since
    if since is not None and clock() - since > timeout_s:
        return (
            f"The engine has run one batch for more than {timeout_s:g} s (PANOPTIC_ENGINE_TIMEOUT_S): it hangs, "
            "and the process ends."
        )
    if batcher.failures < _FAILURES:
        return ""
    return await _fails_anyhow(predictor, timeout_s)


async def _fails_anyhow(predictor: Predictor, timeout_s: float) -> str:
    """Give the engine a picture that harms none: what failed before may have been the callers' doing."""
    try:
        probe = predictor.submit(predictor.prepare(_gray()), deadline=math.inf)
        await asyncio.wait_for(asyncio.wrap_future(probe), timeout_s)
    except (BatcherClosed, QueueFull, TimeoutError):
        return ""  # it has been replaced, is busy, or hangs, which the next look tells
    except Exception as error:
        return (
            f"The engine fails whatever it is given ({type(error).__name__}: {error}), and the process ends."
        )
    return ""


def _gray() -> bytes:
    file = BytesIO()
    Image.new("RGB", (64, 48), (128, 128, 128)).save(file, "PNG")
    return file.getvalue()
