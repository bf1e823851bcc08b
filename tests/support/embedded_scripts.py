"""Access to modules that the embedded Lean's judges load as plain scripts, outside the package."""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import lean_worker.embedded


def script(name: str) -> ModuleType:
    """Return a module as the judges see it."""
    folder = str(Path(str(lean_worker.embedded.__file__)).parent)
    if folder not in sys.path:
        sys.path.append(folder)
    return import_module(name)
