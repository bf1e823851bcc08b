"""Plain Lean: the `lean` command of the embedded library on a raw text, in a process of its own, without any part of this harness.

It is the measure of every verdict: what Lean says of a text, and, by `#print axioms`, what its theorems depend on.
"""

import json
import subprocess
import tempfile
from pathlib import Path

from lean_worker.document import Raw
from lean_worker.embedded.build import OPENING, CoreLibrary, ensure_core, lean_command, lean_environment


def run_plain(text: str, core: CoreLibrary | None = None, options: tuple[str, ...] = (), seconds: float = 600.0) -> list[Raw]:
    """Return Lean's messages about a text after the import of the core library; lines count from 1 in the text.

    Args:
        text: what follows the imports; a byte order mark and CR LF may be in it.
        core: the compiled core library.
        options: Lean options, as `name=value`.
        seconds: the time limit.

    Raises:
        RuntimeError: Lean crashes, or does not finish in time.
    """
    core = core or ensure_core()
    flags = [word for option in options for word in ("-D", option)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "Plain.lean"
        path.write_bytes((OPENING + text.removeprefix("\ufeff")).encode())
        command = lean_command(core.library, "--json", *flags, path)
        try:
            done = subprocess.run(command, env=lean_environment(core.path), capture_output=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"plain Lean did not finish within {seconds:g} s") from error
    if done.returncode not in (0, 1):
        raise RuntimeError(f"plain Lean ended with exit code {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    messages: list[Raw] = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]
    above = OPENING.count("\n")
    for message in messages:
        for name in ("pos", "endPos"):
            if message.get(name):
                message[name]["line"] -= above
    return messages
