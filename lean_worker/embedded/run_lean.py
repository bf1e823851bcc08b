"""Script that runs the `lean` command from the shared library: `python run_lean.py LIBRARY ARGUMENTS...`.

Lean's main function ends the process itself, so this always runs in its own process. Standard library only.
"""

import ctypes
import os
import sys


def main(library: str, arguments: list[str]) -> None:
    """Call `lean` with the arguments; does not return."""
    lean = ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
    lean.lean_main.argtypes = [ctypes.c_int, ctypes.c_void_p]
    words = [b"lean", *map(os.fsencode, arguments)]
    argv = (ctypes.c_char_p * (len(words) + 1))(*words, None)
    os._exit(lean.lean_main(len(words), argv) & 0xFF)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
