"""Families of theorems: each a function of (rng, difficulty) that returns a statement together with a proof by construction."""

from types import MappingProxyType

from oprover_jax.synthetic.families import (
    arithmetic,
    divisibility,
    equality,
    equivalence,
    evaluation,
    induction,
    lists,
    order,
    propositional,
    quantifier,
    relation,
)
from oprover_jax.synthetic.families.draft import Draft, Family

__all__ = ["DIFFICULTIES", "FAMILIES", "LIGHT", "UNSEEN", "Draft", "Family"]

DIFFICULTIES = range(1, 7)

FAMILIES: MappingProxyType[str, Family] = MappingProxyType(
    {
        family.__name__: family
        for family in (
            propositional.implication,
            propositional.conjunction,
            propositional.disjunction,
            propositional.negation,
            propositional.deduction,
            equivalence.iff_chain,
            equivalence.connective_law,
            quantifier.universal,
            quantifier.existential,
            equality.eq_chain,
            equality.eq_predicate,
            equality.eq_laws,
            arithmetic.nat_sum,
            arithmetic.nat_product,
            arithmetic.nat_ring,
            arithmetic.nat_neutral,
            arithmetic.nat_given,
            order.order_chain,
            order.order_weaken,
            order.order_monotone,
            order.order_absurd,
            induction.nat_recursion,
            induction.nat_closed_form,
            induction.nat_predicate,
            induction.nat_growth,
            lists.list_append,
            lists.list_length,
            lists.list_map,
            lists.list_recursion,
            evaluation.evaluation,
            divisibility.divisibility,
            relation.relation,
        )
    }
)

# only the benchmark knows these
UNSEEN: frozenset[str] = frozenset({"divisibility", "relation", "eq_laws", "nat_growth"})

# one line (`simp_all`, `decide`) proves most of these: they get half a share
LIGHT: frozenset[str] = frozenset(
    {"implication", "conjunction", "negation", "iff_chain", "eq_chain", "eq_predicate", "list_append", "list_map", "evaluation"}
)
