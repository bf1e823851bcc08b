"""The REPL backend, for pools that have leanprover-community/repl built."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from lean_worker.repl.session import Repl
from lean_worker.sandbox.sandbox import SandboxConfig, wrap
from lean_worker.screen import COMMANDS
from lean_worker.session import BackendUnavailable, Limits


@dataclass(frozen=True)
class ReplBackend:
    """`command` starts the REPL in `folder`, the Lake project whose modules it may import."""

    command: tuple[str, ...]
    environment: dict[str, str] = field(hash=False)
    folder: Path
    lean: str
    library: str
    imports: tuple[str, ...]
    allowed: frozenset[str] = frozenset()
    prelude: str = ""
    name: str = "repl"
    isolates: bool = False
    commands: frozenset[str] = COMMANDS
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)

    def start(self, opening: str, limits: Limits) -> Repl:
        """Loads the opening before it returns: seconds for Mathlib."""
        return Repl(wrap(list(self.command), self.sandbox), self.environment, self.folder, opening, limits)

    def second_judge(self) -> None:
        return None


def installed_repl(program: Path, folder: Path, lean: str, imports: tuple[str, ...], sandbox: SandboxConfig | None = None) -> ReplBackend:
    """The REPL binary `program` under `lake env` in the Lake project `folder`; `lean` is the version that verdicts will name.

    Raises BackendUnavailable where one of them is missing.
    """
    lake = shutil.which("lake")
    if lake is None:
        raise BackendUnavailable("`lake` is not on the PATH; install Lean with elan (https://lean-lang.org) or use the embedded Lean")
    if not os.access(program, os.X_OK):
        raise BackendUnavailable(f"{program} is no program; build leanprover-community/repl and name its .lake/build/bin/repl")
    return ReplBackend(
        command=(lake, "env", str(program)),
        environment={**os.environ, "LC_ALL": "C.UTF-8"},
        folder=folder,
        lean=lean,
        library=str(folder),
        imports=imports,
        allowed=frozenset(imports),
        sandbox=sandbox or SandboxConfig(),
    )
