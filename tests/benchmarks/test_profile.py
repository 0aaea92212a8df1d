"""What a profiler saw is counted by stages."""

from benchmarks.profile import count_stages

STACKS = [
    "thread (7): photograph_0;run (concurrent/futures/thread.py:58);decode_jpeg (service/pipeline/jpeg.py:36);tj3 9",
    "thread (7): photograph_0;_answer (service/http/walk.py:215);merge (service/pipeline/kernels/merge.py:64) 5",
    "thread (1): MainThread;run (asyncio/runners.py:118);select (selectors.py:468);epoll_wait (libc.so.6) 70",
    "thread (1): MainThread;run (asyncio/runners.py:118);run_asgi (uvicorn/protocols/http/httptools_impl.py:80) 4",
    "thread (7): photograph_0;run (threading.py:975);_worker (concurrent/futures/thread.py:9);sem_wait (libc.so.6) 50",
    "thread (3): other;start (nowhere.py:1) 2",
]


def test_a_stack_counts_for_the_first_stage_that_it_holds_and_idle_ones_for_none() -> None:
    seen = {name: count for name, count in count_stages(STACKS).items() if count}

    assert seen == {"decode": 9, "merge: pixels": 5, "HTTP": 4, "rest": 2}
