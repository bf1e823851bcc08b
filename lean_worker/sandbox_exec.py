"""Locks itself in and becomes the command: `python -I -S sandbox_exec.py [options] -- command...`. Standard library only.

Without a command it ends with exit code 0 where everything asked for was granted. Whatever the kernel refuses ends it with exit code 125
and one line on standard error: a command never runs with less than what was asked for.
"""

import argparse
import os
import resource
import sys

sys.path.append(os.path.dirname(os.path.abspath(__file__)))

import confinement

REFUSED = 125


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--namespaces", action="store_true")
    parser.add_argument("--landlock", action="store_true")
    parser.add_argument("--filter", action="store_true")
    parser.add_argument("--read", action="append", default=[])
    parser.add_argument("--writable", action="append", default=[])
    parser.add_argument("--no-fork", action="store_true")
    parser.add_argument("--max-tasks", type=int, default=0)
    parser.add_argument("--memory-bytes", type=int, default=0)
    parser.add_argument("command", nargs="*")
    return parser.parse_args()


def _limit(name: int, value: int) -> None:
    _, hard = resource.getrlimit(name)
    least = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(name, (least, least))


def main() -> None:
    """Confine this process as the command line says, then run the command."""
    options = _options()
    try:
        if options.namespaces:
            confinement.enter_namespaces(options.writable)
        confinement.drop_privileges()
        _limit(resource.RLIMIT_CORE, 0)
        if options.memory_bytes:
            _limit(resource.RLIMIT_AS, options.memory_bytes)
        if options.max_tasks:
            _limit(resource.RLIMIT_NPROC, options.max_tasks)
        if options.landlock:
            confinement.apply_landlock(options.read or ["/"], options.writable)
        if options.filter:
            confinement.install_filter(confinement.filter_program(processes=not options.no_fork))
        if options.command:
            os.execvp(options.command[0], options.command)
    except (OSError, ValueError) as error:
        print(f"sandbox: {error}", file=sys.stderr)
        sys.exit(REFUSED)


if __name__ == "__main__":
    main()
