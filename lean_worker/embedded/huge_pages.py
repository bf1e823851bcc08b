"""Relocation of the code of Lean's library to huge pages, so that forked processes share it without a page fault every few kilobytes.

A child that checks a proof runs through tens of megabytes of code. Mapped from the file, each page of it costs a fault in each child;
in huge pages of memory, which a fork shares whole, it costs none. Standard library only: the fork server loads it as a plain script.
"""

import ctypes

_HUGE = 2 << 20
_LOAD, _EXECUTABLE = 1, 1
_READ, _WRITE, _EXECUTE = 1, 2, 4
_PRIVATE_ANONYMOUS = 0x22
_MAY_MOVE_FIXED = 3
_ADVICE_HUGE = 14
_FAILED = ctypes.c_void_p(-1).value
_libc = ctypes.CDLL(None, use_errno=True)


class _Segment(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        *((name, ctypes.c_uint64) for name in ("offset", "address", "physical", "in_file", "in_memory", "alignment")),
    )


class _Library(ctypes.Structure):
    _fields_ = (
        ("base", ctypes.c_uint64),
        ("name", ctypes.c_char_p),
        ("segments", ctypes.POINTER(_Segment)),
        ("count", ctypes.c_uint16),
    )


def _code(path: str) -> list[tuple[int, int]]:
    """Return begin and end of the huge pages that lie entirely in the code of a loaded library."""
    found: list[tuple[int, int]] = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Library), ctypes.c_size_t, ctypes.c_void_p)
    def visit(library: "ctypes._Pointer[_Library]", size: int, data: int | None) -> int:
        about = library.contents
        if (about.name or b"").decode(errors="replace") == path:
            for segment in about.segments[: about.count]:
                if segment.kind == _LOAD and segment.flags & _EXECUTABLE:
                    begin = about.base + segment.address
                    found.append((-(-begin // _HUGE) * _HUGE, (begin + segment.in_memory) // _HUGE * _HUGE))
        return 0

    _libc.dl_iterate_phdr(visit, None)
    return [(begin, end) for begin, end in found if begin < end]


def use_huge_pages(path: str) -> None:
    """Copy the code of the loaded library at `path` into huge pages in place. Does nothing if they are unavailable."""
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    _libc.mmap.argtypes, _libc.mmap.restype = (pointer, size, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long), pointer
    _libc.mremap.argtypes, _libc.mremap.restype = (pointer, size, size, ctypes.c_int, pointer), pointer
    _libc.munmap.argtypes, _libc.madvise.argtypes = (pointer, size), (pointer, size, ctypes.c_int)
    _libc.mprotect.argtypes = (pointer, size, ctypes.c_int)
    for begin, end in _code(path):
        length = end - begin
        room = _libc.mmap(None, length + _HUGE, _READ | _WRITE, _PRIVATE_ANONYMOUS, -1, 0)
        if room in (None, _FAILED):
            return
        copy = -(-room // _HUGE) * _HUGE
        if _libc.madvise(copy, length, _ADVICE_HUGE) == 0:
            ctypes.memmove(copy, begin, length)
            if _libc.mprotect(copy, length, _READ | _EXECUTE) == 0:
                _libc.mremap(copy, length, length, _MAY_MOVE_FIXED, begin)
                continue
        _libc.munmap(room, length + _HUGE)
