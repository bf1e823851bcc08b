"""Parallel work in local processes that exit together with their parent, however it ends."""

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
    """Yield each job with its result in order of completion, using up to `processes` processes.

    With one process or one job, the work runs in the calling process. After an error in a job, or if the caller stops, the processes are
    terminated immediately.

    Args:
      work: Picklable function of one job.
      jobs: Picklable arguments.
      processes: Maximum number of processes.

    Raises:
      BrokenProcessPool: A process was killed.
      Exception: Any error that `work` raises.
    """
    processes = min(processes, len(jobs))
    if processes <= 1:
        for job in jobs:
            yield job, work(job)
        return
    others = set(active_children())
    # spawn, because fork would copy locks held by threads of the caller
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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C and terminates its processes
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the processes already run in parallel
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    """Exit when the parent is gone; a killed parent cannot terminate its processes, and they would wait for work forever."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
