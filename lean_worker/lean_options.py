"""Options of Lean on its command line, by version."""

import re
from collections.abc import Mapping

_WEAK_SINCE = (4, 12)


def known_options(options: Mapping[str, str], version: str) -> dict[str, str]:
    """Return the options that a version of Lean accepts: an unknown one would fail every file.

    Elab.async came with Lean 4.17, and the prefix that makes an option optional with 4.12.
    """
    weak = _number(version) >= _WEAK_SINCE
    named = {("weak." if name == "Elab.async" else "") + name: value for name, value in options.items()}
    return {name: value for name, value in named.items() if weak or not name.startswith("weak.")}


def _number(version: str) -> tuple[int, ...]:
    found = re.match(r"v?(\d+)\.(\d+)", version)
    return tuple(map(int, found.groups())) if found else _WEAK_SINCE
