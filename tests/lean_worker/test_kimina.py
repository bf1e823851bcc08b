"""The published client of the Kimina Lean Server against ours, on the real kernel."""

import asyncio
import typing
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import httpx2
import pytest
import serving
import typing_extensions

from lean_worker.pool import Pool
from lean_worker.service.settings import ServiceSettings

pytestmark = pytest.mark.lean

HANG = "theorem t : Nat.div.go (2 ^ 60) (2 ^ 60) 1 = 0 := by decide +kernel"

VALID = {
    "term": "theorem t (p : Prop) (h : p) : p := h",
    "documented": "/-- Show that `p`; `sorry` and #eval are only words here. -/\ntheorem t (p : Prop) (h : p) : p := by\n  exact h\n",
    "example": "example : 1 = 1 := rfl",
    "windows": "theorem t (p : Prop) (h : p) : p := by\r\n  exact h\r\n",
    "prelude": "prelude\ntheorem t : 1 = 1 := rfl",
    "provided import": "import OProverCore.All\ntheorem t : 1 = 1 := rfl",
    "alternatives": "theorem z : ∀ n : Nat, 0 + n = n\n  | 0 => rfl\n  | n + 1 => congrArg Nat.succ (z n)\n",
    "indented": "namespace A\n  theorem t : 1 = 1 := rfl\nend A",
    "open in": "open Nat in\ntheorem t : succ 1 = 2 := rfl",
    "modifier before two lines": "private theorem t (a b : Nat) (h : a = b) : b = a := by\n  rw [h]\n",
    "mark in the statement": "theorem t (n : Nat) :\n    let k := n + 1\n    k = n + 1 := by\n  rfl\n",
    "clauses": "theorem t (n : Nat) : True :=\n  if h : n = 0 then trivial else t (n / 2)\ntermination_by n\ndecreasing_by omega\n",
    "inductive": "inductive F where\n  | a\n  | b\n@[simp] theorem t (x : F) : x = .a ∨ x = .b := by\n  cases x <;> simp",
    "structure": "structure P where\n  a : Nat\n  b : Nat\ntheorem t (p : P) : p = ⟨p.a, p.b⟩ := rfl",
    "comment before import": "/- words -/\nimport Init\n\ntheorem t : 1 = 1 := rfl",
    "definitions and scopes": "set_option maxHeartbeats 400000\ndef f (n : Nat) : Nat := n + 1\nnamespace A\nsection\nvariable (p : Prop)\n"
    "theorem a : f 1 = 2 := rfl\n\ntheorem b (h : p) : p ∧ f 1 = 2 := ⟨h, a⟩\nend\nend A\nexample (h : 1 = 1) : f 1 = 2 := (A.b _ h).2\n",
}

# status and a piece of the first error message
WRONG = {
    "wrong": ("theorem t : 2 + 2 = 5 := by decide", "is false"),
    "sorryAx": ("theorem t : 2 + 2 = 5 := sorryAx _", "`sorryAx`"),
    "synthetic sorry": ("theorem t : 2 + 2 = 5 := sorryAx _ true", "`sorryAx`"),
    "admit": ("theorem t : 2 + 2 = 5 := by admit", "`admit`"),
    "axiom": ("axiom c : False\ntheorem t : 2 + 2 = 5 := c.elim", "`axiom`"),
    "native_decide": ("theorem t : 2 + 2 = 5 := by native_decide", "`native_decide`"),
    "kernel off": ("set_option debug.skipKernelTC true in\ntheorem t : 2 + 2 = 5 := rfl", "`set_option debug.skipKernelTC true`"),
    "proof as sorry": ("set_option debug.proofAsSorry true\ntheorem t : 2 + 2 = 5 := by decide", "`set_option debug.proofAsSorry true`"),
    "macro": ('macro "qed!" : tactic => `(tactic| sorry)\ntheorem t : 2 + 2 = 5 := by qed!', "`macro`"),
    "forged audit": ('macro_rules | `(#print axioms $_:ident) => `(#eval "none")\ntheorem t : 2 + 2 = 5 := rfl', "`macro_rules`"),
    "swallowed messages": ("#guard_msgs (drop all) in\ntheorem t : 2 + 2 = 5 := by exact nope", ""),
    "implemented_by": ("@[implemented_by g] def f : Nat := 1\ntheorem t : 1 = 1 := rfl", "`implemented_by`"),
    "attribute instance": ("def e : Add Nat := ⟨fun _ _ => 5⟩\nattribute [instance] e\ntheorem t : 2 + 2 = 5 := rfl", "`instance`"),
    "instance": ("instance : Add Nat := ⟨fun _ _ => 5⟩\ntheorem t : 2 + 2 = 5 := rfl", "`instance`"),
    "hypothesis included": ("variable (c : False)\ninclude c\ntheorem t : 2 + 2 = 5 := c.elim", "`include`"),
    "empty": ("", "no theorem"),
    "comment": ("/- theorem t : 2 + 2 = 5 := rfl -/\n-- theorem t : True := trivial", "no theorem"),
    "definition only": ("def f : Nat := 1", "no theorem"),
    "command only": ("#check Nat", "`#check`"),
    "exit": ("#exit\ntheorem t : 2 + 2 = 5 := rfl", "`#exit`"),
    "cut off": ("theorem t : 1 = 1", "unexpected end of input"),
    "cut off later": ("theorem t : 1 = 1 := rfl\n\ntheorem u : 1 =", "unexpected end of input"),
    "wrong definition behind": ("theorem t : 1 = 1 := rfl\n\ndef f : Nat := nowhere", "Unknown identifier `nowhere`"),
    "wrong definition before": ("def f : Nat := nowhere\n\ntheorem t : f = f := rfl", "Unknown identifier `nowhere`"),
    "late import": ("theorem t : 1 = 1 := rfl\nimport Mathlib", "`import`"),
    "indented axiom": ("namespace A\n  axiom c : 1 = 2\n  theorem t : 1 = 2 := c\nend A", "`axiom`"),
    "one of two": ("theorem t : 1 = 1 := rfl\n\ntheorem u : 1 = 2 := rfl", ""),
    "one of two, used": ("theorem t : 1 = 2 := rfl\n\ntheorem u : 1 = 2 := t", ""),
    "statement": ("theorem t : Nat.nowhere = 1 := rfl", "Unknown constant `Nat.nowhere`"),
    "wrong beside a hole": ("theorem t : 1 = 2 := sorry\n\ntheorem u : 1 = 2 := rfl", ""),
    "unknown end": ("theorem t : 1 = 1 := rfl\nend A", "Invalid `end`"),
}

HOLES = {
    "sorry": "theorem t : 2 + 2 = 5 := by\n  sorry",
    "term": "theorem t : 2 + 2 = 5 := sorry",
    "half": "theorem t : 2 + 2 = 4 ∧ 2 + 2 = 5 := ⟨rfl, sorry⟩",
    "used": "theorem t : 2 + 2 = 5 := sorry\n\ntheorem u : 5 = 2 + 2 := t.symm",
    "in a step": "theorem t : 2 + 2 = 5 := by\n  have h : 5 = 2 + 2 := sorry\n  exact h.symm",
}

UNREADABLE = {
    "missing import": ("import Mathlib\ntheorem t : 1 = 1 := rfl", "module Mathlib is not available here"),
    "open comment": ("theorem t : 1 = 1 := rfl /- ", "a comment is not closed"),
    "too many": ("example : 1 = 1 := rfl\n" * 257, "more than 256"),
}


@pytest.fixture(scope="module")
def kimina() -> ModuleType:
    """The published package. On Python 3.11 its models need the TypedDict of typing_extensions, which it only takes on older ones."""
    plain: Any = typing.TypedDict
    typing.TypedDict = typing_extensions.TypedDict  # type: ignore[assignment]
    try:
        import kimina_client
    finally:
        typing.TypedDict = plain
    return kimina_client


@pytest.fixture(scope="module")
def url(pool: Pool) -> Iterator[str]:
    with serving.thread(pool, ServiceSettings("a-key")) as address:
        yield address


@pytest.fixture(scope="module")
def results(kimina: ModuleType, url: str) -> dict[str, Any]:
    """All snippets at once, in batches and at random, as a trainer would."""
    codes = {f"{kind}/{name}": code for kind, table in (("valid", VALID), ("hole", HOLES)) for name, code in table.items()}
    codes |= {f"{kind}/{name}": code for kind, table in (("wrong", WRONG), ("unreadable", UNREADABLE)) for name, (code, _) in table.items()}
    client = kimina.KiminaClient(url, "a-key")
    found = client.check([kimina.Snippet(id=name, code=code) for name, code in codes.items()], show_progress=False).results
    assert sorted(result.id for result in found) == sorted(codes)
    return {result.id: result for result in found}


@pytest.mark.parametrize("name", VALID)
def test_valid(results: dict[str, Any], name: str) -> None:
    result = results[f"valid/{name}"]
    assert result.analyze().status.value == "valid", result
    assert result.response["env"] == 0 and "sorries" not in result.response and result.time > 0


@pytest.mark.parametrize("name", WRONG)
def test_wrong(results: dict[str, Any], name: str) -> None:
    result = results[f"wrong/{name}"]
    assert result.analyze().status.value == "lean_error", result
    assert WRONG[name][1] in next(message["data"] for message in result.response["messages"] if message["severity"] == "error")


@pytest.mark.parametrize("name", HOLES)
def test_holes(results: dict[str, Any], name: str) -> None:
    result = results[f"hole/{name}"]
    assert result.analyze().status.value == "sorry", result
    lines = HOLES[name].split("\n")
    for hole in result.response["sorries"]:
        begin, end = hole["pos"], hole["endPos"]
        assert lines[begin["line"] - 1][begin["column"] : end["column"]] == "sorry"
        assert hole["goal"].startswith("⊢ ")
    assert any(message["data"] == "declaration uses 'sorry'" for message in result.response["messages"])
    assert len(result.response["sorries"]) == HOLES[name].count("sorry")


def test_what_lean_says_about_one_theorem_spoils_no_other(kimina: ModuleType, url: str) -> None:
    code = "theorem a : 1 = 2 := rfl\n\n  theorem b : 2 = 3 := by decide\ntheorem c : 1 = 1 := rfl\n"
    result = kimina.KiminaClient(url, "a-key").check(code, show_progress=False).results[0]
    assert {message["pos"]["line"] for message in result.response["messages"] if message["severity"] == "error"} == {1, 3}


@pytest.mark.parametrize("wanted", ["tactics", "original", "substantive"])
def test_tactics_with_goals_in_the_form_of_the_repl(kimina: ModuleType, url: str, wanted: str) -> None:
    code = "theorem t (p q : Prop) (h : p ∧ q) : q ∧ p := by\n  constructor\n  · exact h.2\n  · exact h.1\n"
    client = kimina.KiminaClient(url, "a-key")
    result = client.api_check([kimina.Snippet(id="a", code=code)], infotree=kimina.Infotree(wanted)).results[0]

    def flat(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [each for node in nodes for each in (node["node"], *flat(node["children"]))]

    tactics = flat(result.response["infotree"])
    step = next(tactic for tactic in tactics if tactic["stx"]["pp"] == "constructor")
    assert step["goalsBefore"] == ["p q : Prop\nh : p ∧ q\n⊢ q ∧ p"] and len(step["goalsAfter"]) == 2
    assert step["stx"]["range"] == {"synthetic": False, "start": {"line": 2, "column": 2}, "finish": {"line": 2, "column": 13}}
    texts = [tactic["stx"]["pp"] for tactic in tactics]
    assert {"exact h.2", "exact h.1"} <= set(texts)
    assert texts[0] == ("constructor" if wanted == "substantive" else code[code.index("by") :].strip())


def test_the_time_limit_of_a_request(kimina: ModuleType) -> None:
    with Pool(1, timeout=60.0) as pool, serving.thread(pool) as address:
        client = kimina.KiminaClient(address)
        found = client.api_check([kimina.Snippet(id="hang", code=HANG)], timeout=1).results[0]
    assert found.analyze().status.value == "timeout_error" and "within 1 s" in found.error


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_taken_apart_is_an_error_and_no_judgement(results: dict[str, Any], name: str) -> None:
    result = results[f"unreadable/{name}"]
    assert result.analyze().status.value == "server_error", result
    assert UNREADABLE[name][1] in result.error


def test_messages_stand_where_they_belong(kimina: ModuleType, url: str) -> None:
    code = "import OProverCore.All\n\n-- a comment\ntheorem z : ∀ n : Nat, 0 + n = n\n  | 0 => rfl\n  | n + 1 => congrArg Nat.succ (y n)\n"
    result = kimina.KiminaClient(url, "a-key").check(code, show_progress=False).results[0]
    (message,) = result.response["messages"]
    assert (message["pos"], message["endPos"]) == ({"line": 6, "column": 32}, {"line": 6, "column": 33})


def test_what_lean_says_about_good_proofs_stands_where_it_belongs(kimina: ModuleType, url: str) -> None:
    theorem = "theorem z : ∀ n : Nat, 0 + n = n\n  | 0 => rfl\n  | n + 1 => by\n    trace_state\n    exact congrArg Nat.succ (z n)\n"
    code = f"def one : Nat := 1\n\n{theorem}"
    result = kimina.KiminaClient(url, "a-key").check(code, show_progress=False).results[0]
    (message,) = result.response["messages"]
    assert result.analyze().status.value == "valid"
    assert (message["severity"], message["pos"]) == ("info", {"line": 6, "column": 4})


def test_a_time_limit_is_a_timeout_and_spoils_nobody(kimina: ModuleType) -> None:
    with Pool(1, timeout=2.0) as pool, serving.thread(pool) as address:
        snippets = [kimina.Snippet(id="hang", code=HANG), kimina.Snippet(id="good", code=VALID["term"])]
        found = {result.id: result.analyze().status.value for result in kimina.KiminaClient(address).api_check(snippets).results}
    assert found == {"hang": "timeout_error", "good": "valid"}


def test_the_async_client(kimina: ModuleType, url: str) -> None:
    async def ask() -> Any:
        client = kimina.AsyncKiminaClient(url, "a-key")
        async with client.session:
            return await client.check([VALID["term"], WRONG["wrong"][0]], show_progress=False)

    response = asyncio.run(ask())
    assert sorted(result.analyze().status.value for result in response.results) == ["lean_error", "valid"]


@pytest.mark.parametrize("path", ["/verify", "/one_pass_verify_batch"])
def test_the_older_protocol(kimina: ModuleType, url: str, path: str) -> None:
    from kimina_client.proof_utils import analyze_sample

    codes = [
        {"custom_id": "a", "proof": VALID["term"]},
        {"custom_id": 2, "code": HOLES["sorry"]},
        {"custom_id": "c", "code": HOLES["used"]},
    ]
    codes += [{"custom_id": "d", "proof": WRONG["wrong"][0]}, {"custom_id": "e", "proof": UNREADABLE["missing import"][0]}]
    response = httpx2.post(f"{url}{path}", json={"codes": codes, "timeout": 60}, headers={"Authorization": "Bearer a-key"}, timeout=60)
    found = kimina.VerifyResponse.model_validate(response.raise_for_status().json()).results
    assert [one["custom_id"] for one in found] == ["a", "2", "c", "d", "e"]
    seen = [analyze_sample(one) for one in found]
    assert [one.is_valid_no_sorry for one in seen] == [True, False, False, False, False]
    assert [one.is_valid_with_sorry for one in seen] == [True, True, True, False, False]
    assert [one.has_connection_error for one in seen] == [False, False, False, False, True]
    assert all(isinstance(one["response"]["time"], float) for one in found[:4])


def test_health_and_a_wrong_key(kimina: ModuleType, url: str) -> None:
    assert kimina.KiminaClient(url).health() == {"status": "ok"}
    with pytest.raises(RuntimeError, match="failed after 1"):
        kimina.KiminaClient(url, "another", n_retries=1).api_check([kimina.Snippet(id="a", code=VALID["term"])])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/check", {"snippets": []}),
        ("/api/check", {"snippets": [{"id": "a", "code": ""}, {"id": "a", "code": ""}]}),
        ("/api/check", {"snippets": [{"id": "a"}]}),
        ("/verify", {"codes": [{"custom_id": "a"}]}),
        ("/verify", {"codes": [{"custom_id": 1, "code": ""}, {"custom_id": "1", "code": ""}]}),
    ],
)
def test_a_bad_request_is_one_sentence(url: str, path: str, body: dict[str, Any]) -> None:
    response = httpx2.post(f"{url}{path}", json=body, headers={"Authorization": "Bearer a-key"})
    assert response.status_code == 422 and "\n" not in response.json()["detail"]
