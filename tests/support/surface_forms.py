"""Generator of surface forms: one theorem each, right or wrong, written in the many ways in which people write theorems.

Every case is a piece of text that closes the scopes that it opens, so that many of them make one file.
"""

from dataclasses import dataclass
from random import Random

from lean_worker.protocol import Check

NAMES = ("plain", "bézout'", "xⱼ", "on_ℝ", "𝓝_hood", "Über.Größe", "«two words»", "eval_trace", "init.hint", "step₁", "h!", "α_β.γ")
DOCUMENTATION = ("", "/-- Words; `sorry`, #eval and := are only words. -/\n", "/-- One line. -/ ", "-- a remark: theorem x := sorry\n")
ATTRIBUTES = ("", "@[simp] ", "@[simp]\n", "@[simp, local simp]\n", "@[local simp] ", "@[local simp, simp] ")
MODIFIERS = ("", "", "private ", "protected ", "nonrec ", "private\n")
KEYWORDS = ("theorem", "theorem", "lemma", "example")


@dataclass(frozen=True)
class Goal:
    """What is claimed: what stands before it, binders and claim, proofs that are right, and proofs that are wrong."""

    binders: str
    claim: str
    right: tuple[str, ...]
    wrong: tuple[str, ...]
    context: str = ""


_AND = Goal(
    "(p q : Prop) (hp : p) (hq : q)",
    "p ∧ q",
    (
        "⟨hp, hq⟩",
        "by exact ⟨hp, hq⟩",
        "by\n  constructor\n  · exact hp\n  · exact hq",
        "by\n    constructor\n    · exact hp\n    · exact hq",
        "by\n  -- first one, then the other\n  refine ⟨?_, ?_⟩\n  all_goals assumption",
        "\n  And.intro hp hq",
        "by\n  have first : p := hp\n  have second : q := by\n    exact hq\n  exact ⟨first, second⟩",
        "by constructor <;> assumption",
        "by\n  {\n    constructor\n    { exact hp }\n    { exact hq }\n  }",
        "pair\nwhere\n  pair : p ∧ q := ⟨hp, hq⟩",
        "show p ∧ q from ⟨hp, hq⟩",
        "let h := hp; ⟨h, hq⟩",
        "by (constructor; exact hp); exact hq",
    ),
    (
        "⟨hq, hp⟩",
        "by\n  constructor\n  · exact hp",
        "by exact hp",
        "by",
        "by\n  constructor\n  · exact hp\n  · sorry",
        "sorry",
        "hp hq",
        "by admit",
    ),
)
_SUM = Goal(
    "(n : Nat)",
    "n + 0x10 = 1_6 + n",
    (
        "Nat.add_comm n 16",
        "by omega",
        "by\n  rw [Nat.add_comm]",
        "calc\n    n + 16 = 16 + n := Nat.add_comm n 16\n    _ = 16 + n := rfl",
        "by simp [Nat.add_comm]",
    ),
    ("rfl", "by rw [Nat.mul_comm]", "calc n + 16 = 17 + n := Nat.add_comm n 16", "by omega; omega", "Nat.add_comm 16 n"),
)
_RECURSION = Goal(
    "",
    "∀ n : Nat, 0 + n = n",
    (
        "Nat.zero_add",
        "by\n  intro n\n  induction n with\n  | zero => rfl\n  | succ n ih => rw [← Nat.add_assoc, ih]",
        "fun n => by\n  simp",
        "fun\n  | 0 => rfl\n  | n + 1 => congrArg Nat.succ (Nat.zero_add n)",
        "| 0 => rfl\n  | n + 1 => congrArg Nat.succ (Nat.zero_add n)",
    ),
    ("by\n  intro n\n  rfl", "| 0 => rfl", "| n => rfl", "by\n  intro n\n  induction n with\n  | zero => rfl"),
)
_LET = Goal("(m : Nat)", "let k := m + 1\n    k = m + 1", ("rfl", "by\n  rfl", "by\n  intro k\n  rfl"), ("by exact m", "Nat.lt_irrefl"))
_MATCH = Goal(
    "(n : Nat)",
    "(match n with | 0 => 0 | k + 1 => k + 1) = n",
    ("by cases n <;> rfl", "by\n  cases n with\n  | zero => rfl\n  | succ k => rfl", "match n with\n  | 0 => rfl\n  | _ + 1 => rfl"),
    ("rfl", "by simp only []"),
)
_IF = Goal("(n : Nat)", "(if n = n then 1 else 2) = 1", ("by simp", "if_pos rfl", "by\n  rw [if_pos rfl]"), ("if_neg rfl", "by decide"))
_DEFAULT = Goal(
    "(f : Nat → Nat := fun x => x) {α : Type _} [h : Inhabited α]", "f = f ∧ (default : α) = default", ("⟨rfl, rfl⟩",), ("⟨rfl⟩",)
)
_BARS = Goal("(n : Nat)", "|n| = n + 1", ("rfl", "by rfl"), ("by exact n",), 'local notation "|" x "|" => Nat.succ x\n')
_VARIABLE = Goal("", "a + b = b + a", ("Nat.add_comm a b", "by omega"), ("rfl", "hab ▸ rfl"), "variable (a b : Nat) (hab : a = b)\n")
_INCLUDE = Goal("", "b = a", ("by exact hab.symm", "by rw [hab]"), ("by exact hab",), "variable (a b : Nat) (hab : a = b)\ninclude hab\n")
_HALVING = (
    "go n\nwhere\n  go (k : Nat) : k = k ∨ k = 0 := if h : k = 0 then .inr h else (go (k / 2)).elim (fun _ => .inl rfl) (fun _ => .inl rfl)"
)
_TERMINATION = Goal(
    "(n : Nat)",
    "n = n ∨ n = 0",
    (
        "if h : n = 0 then Or.inr h else Or.inl rfl",
        "by\n  by_cases h : n = 0\n  · exact Or.inr h\n  · exact .inl rfl",
        "go n\nwhere\n  go : (k : Nat) → k = k ∨ k = 0\n    | 0 => .inr rfl\n    | _ + 1 => .inl rfl",
        f"{_HALVING}\n  termination_by k\n  decreasing_by omega",
    ),
    (
        "if h : n = 0 then Or.inr h else Or.inr h",
        f"{_HALVING}\n  termination_by k\n  decreasing_by simp",
        "go n\nwhere\n  go : Nat → Nat := id",
    ),
)
_STRING = Goal(
    '(s : String) (h : s = "a -- b")',
    '"a -- b" = s ∨ s = "/- := "',
    ("Or.inl h.symm", "by\n  left\n  exact h.symm"),
    ("Or.inr h", "by decide"),
)
GOALS = (_AND, _SUM, _RECURSION, _LET, _MATCH, _IF, _DEFAULT, _BARS, _VARIABLE, _INCLUDE, _TERMINATION, _STRING)

# text before and after, and how far what stands between is indented
SCOPES = (
    ("", "", 0),
    ("namespace A.B\n", "end A.B\n", 0),
    ("section\n", "end\n", 2),
    ("section Named\nopen Nat List\n", "end Named\n", 0),
    ("namespace Deep\n  section\n", "  end\nend Deep\n", 4),
    ("universe u v\nset_option maxRecDepth 700\n", "", 0),
)
HELPERS = ("theorem helper_one : True := trivial\n", "/-- a helper -/\ndef helper_two : Nat := 5\n", "open Nat\n")
PREFIXES = ("", "", "open Nat in\n", "open Nat in ", "set_option maxRecDepth 600 in\n", "set_option linter.all false in\nopen List in\n")


@dataclass(frozen=True)
class Case:
    """A theorem in one form. `number` makes its scope unique; `helper` is used by nothing."""

    number: int
    goal: Goal
    proof: str
    name: str
    lead: str
    keyword: str
    scope: tuple[str, str, int]
    helper: str
    windows: bool

    @property
    def _head(self) -> str:
        named = self.keyword if self.keyword == "example" else f"{self.keyword} {self.name}"
        return f"{self.lead}{named} {self.goal.binders} : {self.goal.claim}".replace("  ", " ")

    def _indented(self, text: str) -> str:
        margin = " " * self.scope[2]
        lines = (margin + line if line else line for line in text.split("\n"))
        return "\n".join(lines)

    @property
    def _before(self) -> str:
        return f"namespace Case{self.number}\n{self.scope[0]}{self._indented(self.goal.context)}"

    @property
    def _declaration(self) -> str:
        alternatives = self.proof.startswith("|")
        return self._indented(f"{self._head}\n  {self.proof}" if alternatives else f"{self._head} := {self.proof}")

    @property
    def text(self) -> str:
        """The theorem as a piece of a file."""
        text = f"{self._before}{self._declaration}\n{self.scope[1]}end Case{self.number}\n"
        return text.replace("\n", "\r\n") if self.windows else text

    @property
    def full_name(self) -> str:
        """The name that Lean gives to the theorem; empty for an example."""
        inner = {"namespace A.B\n": "A.B.", "namespace Deep\n  section\n": "Deep."}.get(self.scope[0], "")
        return "" if self.keyword == "example" else f"Case{self.number}.{inner}{self.name}"

    def checks(self) -> list[Check]:
        """The same theorem as pairs: its bare proof, and, if it has a name, the whole declaration with and without a helper before it."""
        statement = self._indented(f"{self._head} := by sorry")
        pairs = [Check("bare", statement, self._indented(self.proof).lstrip(" "), self._before)]
        if self.keyword != "example":
            pairs.append(Check("whole", statement, self._declaration, self._before))
            pairs.append(Check("helper", statement, f"{self.helper}\n{self._declaration}", self._before))
        return pairs


def cases(random: Random, count: int) -> list[Case]:
    """Return random cases, of which about three in five are right."""
    return [_case(random, number) for number in range(count)]


def _case(random: Random, number: int) -> Case:
    goal, keyword = random.choice(GOALS), random.choice(KEYWORDS)
    declared = keyword != "example"
    attributes, modifiers = (random.choice(ATTRIBUTES), random.choice(MODIFIERS)) if declared else ("", "")
    return Case(
        number=number,
        goal=goal,
        proof=random.choice(goal.right if random.random() < 0.6 else goal.wrong),
        name=random.choice(NAMES),
        lead=random.choice(PREFIXES) + random.choice(DOCUMENTATION) + attributes + modifiers,
        keyword=keyword,
        scope=random.choice(SCOPES),
        helper=random.choice(HELPERS),
        windows=random.random() < 0.2,
    )
