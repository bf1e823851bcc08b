"""Proofs of the attacks that are too long to be written out, by the attack's name."""

_DEADLINE_HELPER = """theorem h{i} (n : Nat) (hn : n = foo) : True := by
  have k : Nat.mod.go (2 ^ 15) (2 ^ 15) 1 = 0 := by decide +kernel
  revert hn
  generalize n = foo
  intro hn
  trace_state
  trivial
"""

PROOFS = {
    "deep recursion": "(" * 5_000 + "rfl" + ")" * 5_000,
    "hole_marker_deadline": "def foo : Nat := 5\n"
    + "".join(_DEADLINE_HELPER.replace("{i}", str(i)) for i in range(480))
    + "theorem tgt : 2 + 2 = 5 := by decide +kernel",
    "new_arrow_nest": f":= (rfl : {'Nat → ' * 9_000}Nat)",
    "new_binder_nest": f":= ({'fun _ : Nat => ' * 3_500}rfl)",
    "new_have_chain": ":= by\n" + "".join(f"  have h{i} : {i} = {i} := rfl\n" for i in range(1_800)) + "  decide",
    "new_level_imax_bomb": f":= @id.{{{'imax (max 1 2) (' * 800}0{')' * 800}}} _ rfl",
    "new_list_literal": f":= (rfl : [{', '.join(['0'] * 18_001)}] = []) ▸ rfl",
    "new_string_kernel": f':= absurd (by decide +kernel : "{"a" * 25_000}" = "{"a" * 24_999}b") (by decide)',
}
