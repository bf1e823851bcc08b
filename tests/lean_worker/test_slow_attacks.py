"""The slow tier accepts no falsehood on its own: every attack reaches it unscreened."""

import os
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lean_worker.candidate import Candidate, split_candidate
from lean_worker.embedded.build import ensure_core
from lean_worker.embedded.slow_phases import SlowLimits
from lean_worker.embedded.slow_tier import SlowTier
from lean_worker.language_server.backend import installed_server
from lean_worker.lexer import LexError
from lean_worker.protocol import Check
from lean_worker.sandbox.sandbox import SandboxConfig
from lean_worker.statement import split_statement
from lean_worker.tools.attacks import attacks

pytestmark = [pytest.mark.lean, pytest.mark.slow]

LINTER = Path(__file__).with_name("linter.lean").read_text()
RAW_STRING = 'def a : String := r#"\\"#\nset_option debug.skipKernelTC true in\ntheorem bad : 2 + 2 = 5 := by decide +kernel --"\n'
FALSE = "theorem t : 2 + 2 = 5 := by sorry"

# header, statement, helpers, proof
MORE = {
    "raw string in the header": (RAW_STRING, FALSE, "", "bad"),
    "linter of the header": (LINTER, FALSE, "", "by decide"),
    "linter of the header, no such name": (LINTER, FALSE, "", "by exact nope"),
    "linter of the candidate": ("", FALSE, f"end Judged\n{LINTER}namespace Judged\n", "by decide"),
    "raw string in a helper": ("", FALSE, RAW_STRING, "bad"),
    "kernel check off": ("", FALSE, "set_option debug.skipKernelTC true\n", "by decide +kernel"),
    "axiom": ("", FALSE, "axiom c : False\n", "c.elim"),
    "axiom in an instance": (
        "",
        "theorem t : [] = [0] := by sorry",
        "axiom c : False\ninstance : Inhabited False := ⟨c⟩\n",
        "default.elim",
    ),
    "axiom with an allowed name": ("", FALSE, "axiom propext.x : False\n", "propext.x.elim"),
    "namespace closed": ("", FALSE, "end Judged\naxiom c : False\nnamespace Judged\n", "c.elim"),
    "type of the root": ("", "theorem t (x : α) : 2 + 2 = 5 := by sorry", "def _root_.α : Type := Empty\n", "nomatch x"),
    "type of the helper": ("", "theorem t : ∀ x y : Nat, x = y := by sorry", "def Nat : Type := Empty\n", "fun x => nomatch x"),
    "type of the namespace": ("namespace Foo\n", "theorem t : False := by sorry", "def _root_.Foo.False : Prop := True\n", "trivial"),
    "instance": ("", FALSE, "instance (priority := high) : HAdd Nat Nat Nat := ⟨fun _ _ => 5⟩\n", "rfl"),
    "notation": ("", FALSE, "macro_rules | `(2 + 2) => `(5)\n", "rfl"),
    "auxiliary name of the statement": (
        "",
        "theorem t (n : Nat) : (match n with | 0 => 1 | k + 1 => k + 2) = 1 := by sorry",
        "def t.match_1 : Nat := 1\n",
        "rfl",
    ),
    "unsafe": ("", FALSE, "unsafe def c : 2 + 2 = 5 := c\n@[implemented_by c] opaque d : 2 + 2 = 5\n", "d"),
    "surrogate": ("", FALSE, "", "\ud800"),
    "surrogate in the header": ("-- \ud800\n", FALSE, "", "rfl"),
}


def unscreened(text: str) -> Candidate:
    try:
        return split_candidate(text)
    except LexError:
        return Candidate(text)


@pytest.fixture(scope="module", params=["embedded", "installed"])
def tier(request: pytest.FixtureRequest, toolchain: Path) -> Iterator[SlowTier]:
    """Unscreened commands run in a sandbox or not at all."""
    sandbox = SandboxConfig(required=True)
    if request.param == "embedded":
        with SlowTier(ensure_core(), SlowLimits(seconds=30), sandbox) as running:
            yield running
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{toolchain}/bin:{os.environ['PATH']}")
        installed = installed_server(sandbox=sandbox).second_judge(60.0)
    assert installed is not None
    with installed:
        yield installed


def test_no_attack_gets_through_without_a_screen(tier: SlowTier) -> None:
    """A third of each class; `lean-worker attack --tiers slow` tries all of them."""

    def tried(check: Check) -> tuple[str, str]:
        return check.id, tier.recheck(check.header, split_statement(check.statement), unscreened(check.proof)).kind

    # what only wants to show a secret of the host, or to run a command behind the proof, proves a true theorem
    classes: dict[str, list[Check]] = defaultdict(list)
    for attack in attacks():
        if attack.expected == "rejected" and not attack.secret and attack.category != "command":
            classes[attack.category].append(attack.check)
    false = [check for checks in classes.values() for check in checks[::3]]
    with ThreadPoolExecutor(2) as threads:
        found = dict(threads.map(tried, false))
    assert len(found) > 30 and {name: kind for name, kind in found.items() if kind == "accepted"} == {}
    assert {"error", "axiom"} <= set(found.values())


@pytest.mark.parametrize("name", MORE)
def test_headers_and_helpers_get_no_falsehood_through(name: str, tier: SlowTier) -> None:
    header, statement, helpers, proof = MORE[name]
    found = tier.recheck(header, split_statement(statement), Candidate(proof, helpers, line=1 if helpers else 0))
    assert found.accepted is False, found


def test_the_headers_do_what_they_are_said_to(tier: SlowTier, request: pytest.FixtureRequest) -> None:
    """A header that did not even compile would be refused for another reason than its attack."""
    found = tier.recheck(RAW_STRING, split_statement("theorem t : True := by sorry"), Candidate("trivial"))
    if "installed" in request.node.name:  # its re-checker checks the header's own theorems too
        assert found.kind == "kernel" and "bad" in found.reason
    else:
        assert found.accepted
    assert tier.recheck(LINTER, split_statement("theorem t : 2 + 2 = 5 := by sorry"), Candidate("by exact nope")).kind == "axiom"
