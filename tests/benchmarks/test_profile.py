"""What a profiler saw is counted by stages."""

import sys
import threading
import time
import traceback
from pathlib import Path

from benchmarks.profile import count_stages
from service.pipeline.pool import Pool

ROOT = Path(__file__).parents[2]

STACKS = [
    "thread (7): photograph_0;run (concurrent/futures/thread.py:58);decode_jpeg (service/pipeline/jpeg.py:36);tj3 9",
    "thread (7): photograph_0;_answer (service/http/walk.py:215);merge (service/pipeline/kernels/merge.py:64) 5",
    "thread (1): MainThread;run (asyncio/runners.py:118);select (selectors.py:468);epoll_wait (libc.so.6) 70",
    "thread (1): MainThread;run (asyncio/runners.py:118);run_asgi (uvicorn/protocols/http/httptools_impl.py:80) 4",
    "thread (8): asyncio_0;run (threading.py:975);_worker (concurrent/futures/thread.py:9);sem_wait (libc.so.6) 50",
    "thread (7): photograph_0;merge (service/pipeline/kernels/merge.py:64);pthread_cond_timedwait (libc.so.6) 3",
    "thread (3): other;start (nowhere.py:1) 2",
]


def test_a_stack_counts_for_the_first_stage_that_it_holds_and_idle_ones_for_none() -> None:
    seen = {name: count for name, count in count_stages(STACKS).items() if count}

    assert seen == {"wait for Python's lock": 3, "decode": 9, "merge: pixels": 5, "HTTP": 4, "rest": 2}


def test_a_thread_of_the_pool_without_work_counts_for_none() -> None:
    with Pool(1, "idle one") as pool:
        pool.submit(int).result()
        stack = _stack_of("idle one 0")

    assert "service/pipeline/pool.py" in stack
    assert not any(count_stages([f"{stack};sem_wait (libc.so.6) 50"]).values())


def _stack_of(name: str) -> str:
    """A thread's stack as py-spy writes it, once the thread has come to rest."""
    thread = next(each for each in threading.enumerate() if each.name == name)
    before = ""
    while True:
        frames = [frame for frame, _ in traceback.walk_stack(sys._current_frames()[thread.ident or 0])]
        stack = ";".join(
            f"{frame.f_code.co_qualname} ({Path(frame.f_code.co_filename).relative_to(ROOT)}:{frame.f_lineno})"
            for frame in frames[::-1]
            if Path(frame.f_code.co_filename).is_relative_to(ROOT)
        )
        if stack and stack == before:
            return stack
        before = stack
        time.sleep(0.05)
