"""Headers that take seconds to import: the savings of keeping them warm, and the cost of evicting one.

The library is generated: thousands of empty modules, whose import is as slow as a large library's; the embedded Lean cannot
load Mathlib itself.
"""

import os
import subprocess
import tempfile
import time
from pathlib import Path

import tyro
from common import report, seconds

from lean_worker.embedded.build import OPENING, CoreLibrary, ensure_core, lean_command, lean_environment
from lean_worker.language_server.backend import embedded_server
from lean_worker.pool import Pool
from lean_worker.protocol import Check


def generate(folder: Path, core: CoreLibrary, letters: str, modules: int) -> None:
    """Compile one module for each letter; each imports the same many modules and proves a fact of its own."""
    (folder / "Large").mkdir()
    environment = lean_environment(core.path)
    environment["LEAN_PATH"] += os.pathsep + str(folder)

    def compiled(name: str, text: str) -> Path:
        source = folder / "Large" / f"{name}.lean"
        source.write_text(text)
        command = lean_command(core.library, "-R", folder, "-o", source.with_suffix(".olean"), source)
        subprocess.run(command, env=environment, check=True, capture_output=True)
        return source.with_suffix(".olean")

    empty = compiled("M0", OPENING)
    for i in range(1, modules):
        os.link(empty, folder / "Large" / f"M{i}.olean")
    imports = "".join(f"import Large.M{i}\n" for i in range(modules))
    for letter in letters:
        compiled(letter, f"{OPENING}{imports}theorem fact{letter} (n : Nat) : n + 1 = n.succ := rfl\n")


def main(modules: int = 12_000, checks: int = 40) -> None:
    """Alternate between two headers that stay warm, then use a third, for which one must be evicted.

    Args:
      modules: Number of modules in the library; the import time is proportional.
      checks: Number of timed checks under the warm headers.
    """
    core = ensure_core()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compiling = seconds(lambda: generate(folder, core, "ABC", modules))
        backend = embedded_server(core, folder, frozenset({"Large"}))
        with Pool(1, timeout=120, backend=backend, warm=2) as pool:

            def ask(module: str, number: int) -> float:
                statement, proof = f"theorem t : {number} + 1 = Nat.succ {number} := by sorry", f"fact{module} {number}"
                start = time.perf_counter()
                verdict = pool.submit(Check("x", statement, proof, f"import Large.{module}\n")).result()
                assert verdict.accepted is True, verdict
                return time.perf_counter() - start

            cold = [ask("A", 0), ask("B", 0)]
            warm = sorted(ask("AB"[i % 2], 1 + i) for i in range(checks))
            started = pool.status().sessions_started
            third = ask("C", 0)
            kept, evicted = ask("B", checks + 1), ask("A", checks + 1)
            report(
                "lean_headers",
                modules=modules,
                compile_seconds=compiling,
                cold_seconds=min(cold),
                warm_p50_seconds=warm[len(warm) // 2],
                third_header_seconds=third,
                kept_header_seconds=kept,
                evicted_header_seconds=evicted,
                sessions_started_warm=started,
                sessions_started=pool.status().sessions_started,
                sessions_alive=len(pool.worker_pids),
                memory_bytes=pool.status().memory_bytes,
                ratio_cold_vs_warm=min(cold) / warm[len(warm) // 2],
            )


if __name__ == "__main__":
    tyro.cli(main)
