"""Memory: what is freed goes back to the system."""

import subprocess
import sys

import pytest

BEGIN = """
import ctypes
from pathlib import Path
from service.pipeline.memory import give_back, keep_heaps_small

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.malloc.argtypes = [ctypes.c_size_t]
library.free.argtypes = [ctypes.c_void_p]
"""

# A block is freed once, so that glibc takes the next one of its size from the heap, under a small one that stays.
PROGRAM = """
{call}
size = 24 << 20
library.free(library.malloc(size))
begun = resident()
block = library.malloc(size)
ctypes.memset(block, 1, size)
stays = library.malloc(1000)
library.free(block)
print((resident() - begun) >> 20)
"""


def megabytes_left(call: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + PROGRAM.format(call=call)], check=True, capture_output=True, text=True
    )
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads /proc")
def test_a_large_block_that_was_freed_is_not_resident_any_more() -> None:
    assert megabytes_left("keep_heaps_small()") < 4


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads /proc")
def test_an_allocator_that_is_set_from_outside_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", str(64 << 20))
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", str(32 << 20))

    assert megabytes_left("keep_heaps_small()") > 20


SMALL = """
size = 100_000
blocks = [library.malloc(size) for _ in range(400)]
for block in blocks:
    ctypes.memset(block, 1, size)
for block in blocks[:-1]:  # the last one stays, so that the heap cannot shrink at its end
    library.free(block)
before = resident()
give_back()
print((before - resident()) >> 20)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads /proc")
def test_what_is_free_within_a_heap_is_given_back_when_asked() -> None:
    done = subprocess.run([sys.executable, "-c", BEGIN + SMALL], check=True, capture_output=True, text=True)
    assert int(done.stdout) > 30


HEAPS = """
import ctypes, threading
from service.pipeline.memory import keep_heaps_small

keep_heaps_small()
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
heaps = set()
gate = threading.Barrier(6)

def work():
    gate.wait()
    heaps.add(library.malloc(1000) >> 26)
    gate.wait()

threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(heaps))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="heaps are glibc's")
@pytest.mark.parametrize(("stated", "found"), [("", {1, 2}), ("6", {3, 4, 5, 6})])
def test_threads_share_two_heaps_unless_the_environment_states_another_number(
    monkeypatch: pytest.MonkeyPatch, stated: str, found: set[int]
) -> None:
    if stated:
        monkeypatch.setenv("MALLOC_ARENA_MAX", stated)

    done = subprocess.run([sys.executable, "-c", HEAPS], check=True, capture_output=True, text=True)

    assert int(done.stdout) in found
