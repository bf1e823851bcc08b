"""Runs a command and ends it, with all of its process group, as soon as whoever started it is gone. Standard library only.

`python lifeline.py DESCRIPTOR ADDRESS_SPACE_BYTES command...`: the descriptor is the reading end of a pipe whose other end the starter
holds. A Lean in the middle of a proof would not notice that nobody reads its answers any more.
"""

import os
import resource
import signal
import sys
import threading


def _watch(descriptor: int) -> None:
    os.read(descriptor, 1)
    os.killpg(0, signal.SIGKILL)


def main(descriptor: int, address_space: int, command: list[str]) -> int:
    """The exit code of the command. Must lead its process group."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    os.set_inheritable(descriptor, False)
    child = os.posix_spawnp(command[0], command, os.environ)
    threading.Thread(target=_watch, args=(descriptor,), daemon=True).start()
    os.close(0)
    os.close(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
