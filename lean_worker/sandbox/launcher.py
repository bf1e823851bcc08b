"""Script that confines itself and then runs a command: `python -I -S launcher.py [options] -- command...`. Standard library only.

Options: --namespaces, --landlock and --filter select the mechanisms; --read=PATH and --writable=PATH (each repeatable), --no-fork (no other
process may be started or signalled), --max-tasks=NUMBER and --memory-bytes=NUMBER set what remains allowed.
Without a command it ends with exit code 0 if everything requested was granted. If the kernel refuses anything, it ends with exit code 125
and one line on standard error: a command never runs with less confinement than requested.
"""

import os
import resource
import sys

sys.path.append(os.path.dirname(os.path.abspath(__file__)))

import confinement

REFUSED = 125
OPTIONS = ("--namespaces", "--landlock", "--filter", "--read", "--writable", "--no-fork", "--max-tasks", "--memory-bytes")


def _options(words: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Return the values of each option, and the command after `--`. Parsed by hand: it runs at every start, and argparse loads slowly."""
    end = words.index("--") if "--" in words else len(words)
    found: dict[str, list[str]] = {}
    for word in words[:end]:
        name, _, value = word.partition("=")
        if name not in OPTIONS:
            raise ValueError(f"unknown option {word}")
        found.setdefault(name, []).append(value)
    return found, words[end + 1 :]


def _limit(name: int, value: int) -> None:
    _, hard = resource.getrlimit(name)
    least = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(name, (least, least))


def main(words: list[str]) -> None:
    """Confine this process as the command line says, then run the command."""
    try:
        options, command = _options(words)
        writable = options.get("--writable", [])
        if "--namespaces" in options:
            confinement.enter_namespaces(writable)
        confinement.drop_privileges()
        _limit(resource.RLIMIT_CORE, 0)
        for name, limit in (("--memory-bytes", resource.RLIMIT_AS), ("--max-tasks", resource.RLIMIT_NPROC)):
            if name in options:
                _limit(limit, int(options[name][-1]))
        if "--landlock" in options:
            confinement.apply_landlock(options.get("--read", ["/"]), writable)
        if "--filter" in options:
            alone = "--no-fork" in options
            pid = os.getpid() if alone else None
            confinement.install_filter(confinement.filter_program(processes=not alone, pid=pid, programs=True))
        if command:
            os.execvp(command[0], command)
    except (OSError, ValueError) as error:
        print(f"sandbox: {error}", file=sys.stderr)
        sys.exit(REFUSED)


if __name__ == "__main__":
    main(sys.argv[1:])
