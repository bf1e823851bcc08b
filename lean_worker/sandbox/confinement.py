"""Self-confinement of an ordinary Linux process by direct system calls: namespaces, Landlock and a system call filter.

Standard library only and no import of this package: the launcher and the fork server load it as a plain script. Every function changes
the calling process permanently and raises OSError if the kernel refuses; none fails silently halfway.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterable

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP, _PR_SET_SECCOMP = 38, 24, 22
_MOUNT_SETATTR = 442
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_CLONE_NEWNS, _CLONE_NEWUTS, _CLONE_NEWIPC, _CLONE_NEWUSER, _CLONE_NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x40000000
_CLONE_THREAD = 0x10000
_ANY_NAMESPACE = 0x7E020000  # every CLONE_NEW flag
_NOBODY = 65534

# Landlock's file rights, in the order of their introduction: 13 bits in version 1, then refer, truncate, device ioctl
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL = 1, 2, 4, 8, 1 << 14, 1 << 15
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_ALL_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}

_X86_64 = 0xC000003E
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_CLONE, _EXIT_CLONE3, _TGKILL = 56, 435, 234
# system calls of x86_64 that no Lean process needs: (numbers, what for)
_DENIED = (
    (41, 425, 426, 427),  # socket, io_uring: the network, and a way around this filter
    (101, 310, 311, 438, 424),  # ptrace, process_vm_*, pidfd_getfd, pidfd_send_signal: other processes
    (272, 308, 165, 166, 155, 161, 428, 429, 430, 432, 442),  # namespaces and mounts
    (321, 298, 323, 250, 248, 249, 304, 175, 313, 246, 320),  # bpf, perf, userfaultfd, keys, file handles, modules, kexec
    (76, 90, 91, 92, 93, 94, 132, 235, 260, 261, 268, 280, 452, 469),  # truncate, mode, owner, times by path: not covered by Landlock
    (188, 189, 190, 197, 198, 199, 463, 466),  # extended attributes
)
_FORKS = (57, 58)
_PROGRAMS = (59, 322)  # execve, execveat
_SIGNALS = (62, 129, 200, 297)  # kill, rt_sigqueueinfo, tkill, rt_tgsigqueueinfo
_GROUPS = (109, 112)  # setpgid, setsid: a process that leaves its group would not be killed with it


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _mount(source: bytes | None, target: bytes, flags: int) -> None:
    _checked(_libc.mount(source, target, None, ctypes.c_ulong(flags), None), f"mount {os.fsdecode(target)}")


def _set_read_only(path: bytes, read_only: bool) -> None:
    """Set all mounts at and below `path` read-only, or writable again."""
    attribute = struct.pack("=QQQQ", 1, 0, 0, 0) if read_only else struct.pack("=QQQQ", 0, 1, 0, 0)
    at_fdcwd, recursive = -100, 0x8000
    _checked(_libc.syscall(_MOUNT_SETATTR, at_fdcwd, path, recursive, attribute, len(attribute)), "mount_setattr")


def enter_namespaces(writable: Iterable[str] = ()) -> None:
    """Enter new user, network, IPC, host name and mount namespaces: no outside capabilities, no network, only `writable` is writable."""
    user, group = os.geteuid(), os.getegid()
    flags = _CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC | _CLONE_NEWUTS | _CLONE_NEWNS
    _checked(_libc.unshare(flags), "unshare")
    # not as the namespace's root: an ordinary user's capabilities are gone after the next exec
    for name, text in (("setgroups", "deny"), ("uid_map", f"{_NOBODY} {user} 1"), ("gid_map", f"{_NOBODY} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    slave, bind = 1 << 19 | 1 << 14, 4096
    _mount(None, b"/", slave)
    folders = [os.fsencode(os.path.realpath(folder)) for folder in writable]
    for folder in folders:
        _mount(folder, folder, bind)
    _set_read_only(b"/", True)
    for folder in folders:
        _set_read_only(folder, False)


def drop_privileges() -> None:
    """Drop all capabilities for good, and disable set-user-id programs."""
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    for capability in range(64):
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    header, nothing = struct.pack("=Ii", 0x20080522, 0), bytes(24)
    _checked(_libc.capset(header, nothing), "capset")


def landlock_version() -> int:
    """Return the Landlock version of this kernel, or 0 if it has none."""
    return max(0, int(_libc.syscall(_LANDLOCK_CREATE, None, 0, 1)))


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # a missing path needs no rule
    try:
        rights &= -1 if os.path.isdir(path) else _FILE_RIGHTS
        rule = struct.pack("=Qi", rights, descriptor)
        _checked(_libc.syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0), f"landlock rule for {path}")
    finally:
        os.close(descriptor)


def apply_landlock(read: Iterable[str], writable: Iterable[str], devices: Iterable[str] = ("/dev/null",)) -> None:
    """Restrict file access: `read` may be read and executed, `writable` also changed, nothing else. No TCP, no signals outside.

    Call drop_privileges first. Raises OSError if the kernel has no Landlock.
    """
    version = landlock_version()
    if version == 0:
        raise OSError(errno.ENOSYS, "this kernel has no Landlock")
    handled = _ALL_RIGHTS[min(version, 5)]
    reading = _EXECUTE | _READ_FILE | _READ_DIR
    tcp, scopes = (3 if version >= 4 else 0), (3 if version >= 6 else 0)
    attribute = struct.pack("=QQQ", handled, tcp, scopes)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = _checked(_libc.syscall(_LANDLOCK_CREATE, attribute, len(attribute), 0), "landlock")
    for path in read:
        _allow(ruleset, path, reading)
    for path in devices:
        _allow(ruleset, path, handled & (_READ_FILE | _WRITE_FILE))
    for path in writable:
        _allow(ruleset, path, handled)
    _checked(_libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0), "landlock")
    os.close(ruleset)


def _instruction(code: int, value: int, true: int = 0, false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, true, false, value)


def _refuse(numbers: Iterable[int], error: int) -> list[bytes]:
    equal, give = 0x15, 0x06
    return [line for number in numbers for line in (_instruction(equal, number, 0, 1), _instruction(give, _ERRNO | error))]


def filter_program(processes: bool, pid: int | None = None, programs: bool = False, within: bool = False) -> bytes:
    """Return a system call filter as kernel byte code: no sockets, no mounts, no access to other processes.

    Args:
        processes: whether other processes may be started; threads always may.
        pid: the process's own id, if it may neither signal other processes nor leave its process group.
        programs: whether a process with a `pid` may execute another program.
        within: whether the process already has a filter that allows processes; then the new filter contains only the additional rules, and
            installs several times faster.
    """
    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    refuse = _instruction(give, _ERRNO | errno.EPERM)
    program = [
        _instruction(load, 4),
        _instruction(equal, _X86_64, 1, 0),
        _instruction(give, _KILL),
        _instruction(load, 0),
        _instruction(at_least, 0x40000000, 0, 1),
        refuse,  # the calls of 32-bit pointers have other numbers
        *_refuse((number for numbers in _DENIED for number in numbers if not within), errno.EPERM),
        *_refuse((_EXIT_CLONE3,), errno.ENOSYS),  # its flags cannot be seen here; libc then uses clone
    ]
    if not processes:
        program += _refuse(_FORKS, errno.EAGAIN)
    if pid is not None:
        program += _refuse((*_SIGNALS, *_GROUPS, *(() if programs else _PROGRAMS)), errno.EPERM)
        program += [
            _instruction(equal, _TGKILL, 0, 4),
            _instruction(load, 16),
            _instruction(equal, pid, 1, 0),
            refuse,
            _instruction(give, _ALLOW),
        ]
    flags = [_instruction(any_bit, _ANY_NAMESPACE, 0, 1), refuse]
    if not processes:
        flags += [_instruction(any_bit, _CLONE_THREAD, 1, 0), _instruction(give, _ERRNO | errno.EAGAIN)]
    program += [_instruction(equal, _CLONE, 0, 1 + len(flags)), _instruction(load, 16), *flags, _instruction(give, _ALLOW)]
    return b"".join(program)


def install_filter(program: bytes) -> None:
    """Install the filter for this process permanently. Call drop_privileges first. Raises OSError on machines other than x86_64."""
    if os.uname().machine != "x86_64":
        raise OSError(errno.ENOSYS, f"the system call filter is written for x86_64, not for {os.uname().machine}")
    held = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("=HxxxxxxQ", len(program) // 8, ctypes.addressof(held))
    _checked(_libc.prctl(_PR_SET_SECCOMP, 2, described, 0, 0), "seccomp")
