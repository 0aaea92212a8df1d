"""The machine that a figure was measured on."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import psutil

from service.capacity import Machine
from service.pipeline.predictor import available_cores


def this_machine() -> Machine:
    """What runs this process."""
    return Machine(
        processor=_processor(),
        cores=available_cores(),
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        load=round(os.getloadavg()[0], 2),
    )


def describe(machine: Machine) -> str:
    """One line for people."""
    return (
        f"{machine.processor}, {machine.cores} cores, {machine.memory_gb:g} GB, {platform.system()}, "
        f"Python {platform.python_version()}; load {machine.load:g} at the start; {now()}"
    )


def now() -> str:
    """This second, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
