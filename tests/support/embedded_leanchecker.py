"""Stands in for leanchecker, which toolchains of Lean hold: `embedded_leanchecker.py EMBEDDED LIBRARY MODULE`, with LEAN_PATH.

Like it, this adds the constants of the imported modules without checking, and lets the kernel check those of the module, axioms included
and unsafe ones left out. Exit code 1 for what the kernel refuses.
"""

import ctypes
import os
import sys
from pathlib import Path
from typing import ClassVar

sys.path.append(sys.argv[1])

import judge
from kernel import Kernel, KernelLost, KernelRefused
from olean import Constant, Name, Olean, OleanError, Table


def find(module: Name) -> Path:
    place = Path(*map(str, module)).with_suffix(".olean")
    for folder in os.environ["LEAN_PATH"].split(os.pathsep):
        if folder and (Path(folder) / place).is_file():
            return Path(folder) / place
    raise SystemExit(f"unknown module {'.'.join(map(str, module))}")


def imported(module: Olean, seen: dict[Name, None]) -> list[Path]:
    """Return the files of all modules that a module needs, each after those that it imports."""
    found: list[Path] = []
    for name in module.imports:
        if name not in seen:
            seen[name] = None
            path = find(name)
            found += [*imported(Olean(path.read_bytes(), Table()), seen), path]
    return found


class Checker(Kernel):
    """A kernel that holds the constants of all imported modules."""

    paths: ClassVar[list[Path]]

    def _import(self, core: str | None) -> int:
        environment = super()._import(None)
        for path in self.paths:
            module = word(self._result(self._lean.l_Lean_readModuleData(self._string(str(path)), 1)), 8)
            constants = word(module, 8 + 2 * 8)
            for index in range(word(constants, 8)):
                environment = self._lean.lean_environment_add(environment, word(constants, 24 + 8 * index))
        return self._kept(self._lean.lean_environment_mark_quot_init(environment))


def word(address: int, offset: int) -> int:
    return int(ctypes.c_uint64.from_address(address + offset).value)


def is_safe(constant: Constant) -> bool:
    return {"definition": constant.details[1:2] == (1,), "opaque": constant.details[:1] == (0,)}.get(constant.kind, True)


def hand_over(kernel: Kernel, group: list[Constant]) -> None:
    if group[0].kind == "axiom":
        kernel.add_axiom(group[0])
    else:
        original(kernel, group)


original, judge._hand_over = judge._hand_over, hand_over


def main(library: str, name: str) -> int:
    table = Table()
    try:
        file = Olean(find(tuple(name.split("."))).read_bytes(), table)
        Checker.paths = imported(file, {})
        kernel = Checker(library, None, table)
        own = {each for each in file.names if is_safe(file.constant(each))}
        for each in own:
            if kernel.has(each):
                raise KernelRefused(f"{each}: already declared")
        judge._replay(kernel, file, own, table)
    except (KernelRefused, KernelLost, OleanError, judge.Refused, KeyError) as error:
        print(f"found a problem in {name}: {error}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    code = main(sys.argv[2], sys.argv[3])
    sys.stdout.flush()
    os._exit(code)
