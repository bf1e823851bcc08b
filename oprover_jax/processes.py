"""Work in other processes of this machine, which end when the one that started them does, however it ends."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import active_children, get_context, parent_process
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def in_processes(work: Callable[[Job], Result], jobs: Sequence[Job], processes: int) -> Iterator[tuple[Job, Result]]:
    """Each job and what `work` makes of it, as they are finished, by up to `processes` processes; here where one is enough.

    `work` and the jobs must be picklable. After an error in a job, or when the caller stops, the processes are ended at once.

    Raises:
      what `work` raises; BrokenProcessPool where a process was killed.
    """
    processes = min(processes, len(jobs))
    if processes <= 1:
        for job in jobs:
            yield job, work(job)
        return
    others = set(active_children())
    # spawned: a fork would copy the threads' locks of whoever called
    with ProcessPoolExecutor(processes, get_context("spawn"), initializer=_begin) as pool:
        try:
            pending = {pool.submit(work, job): job for job in jobs}
            for done in as_completed(pending):
                yield pending[done], done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(active_children()) - others:
                process.terminate()
            raise


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who ends its processes
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the processes are what is parallel
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """A parent that was killed cannot end its processes, and they would wait for work for ever."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
