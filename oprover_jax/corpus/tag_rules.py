"""Rules for the domain and difficulty of a statement by its Lean tokens: a rough estimate for untagged statements, marked as such.

Each word listed below votes for its domain with the weight of its line, once however often it occurs; the most votes win, and a tie goes to
the domain that comes first in `DOMAINS`. The header is used only if no word of the statement votes: its `open` lines fit anything.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

from oprover_jax.statements.normalize import strip_comments

DOMAINS = (
    "linear algebra",
    "abstract algebra",
    "topology",
    "analysis",
    "probability",
    "geometry",
    "combinatorics",
    "number theory",
    "set theory",
    "computer science",
    "inequality",
    "algebra",
    "logic",
    "other",
)
"""Domains that an engine or the rules may give. Sources have terms of their own, which are kept unchanged."""

BY_RULES = "rules"

_VOTES = """
linear algebra 9: Matrix det charpoly mulVec vecMul transpose conjTranspose rank trace eigenvalues HasEigenvalue LinearMap
linear algebra 9: LinearIndependent span Submodule finrank Module Basis FiniteDimensional nullity toLin ker dotProduct
abstract algebra 8: Group CommGroup AddGroup AddCommGroup Subgroup IsCyclic orderOf MulAut Sylow Monoid CommMonoid Semigroup QuotientGroup
abstract algebra 8: Ring CommRing Field Ideal IsDomain Subring IsField MonoidHom RingHom Units center commutator IsNilpotent
abstract algebra 8: splittingField GaloisField IsNoetherianRing EuclideanDomain ZeroDivisor Subfield Perm Normal IsPrime IsMaximal
abstract algebra 8: AdjoinRoot
abstract algebra 4: Mul MulOneClass
topology 8: TopologicalSpace IsCompact CompactSpace T2Space IsConnected PathConnectedSpace Homeomorph MetricSpace PseudoMetricSpace
topology 8: ConnectedSpace SecondCountableTopology interior closure frontier Dense IsTopologicalBasis generateFrom CauchySeq T1Space
topology 5: IsOpen IsClosed Metric
analysis 7: ∫ ∑' ∏' 𝓝 nhds Tendsto deriv derivWithin iteratedDeriv HasDerivAt Differentiable DifferentiableOn DifferentiableAt ContDiff
analysis 7: Summable Continuous ContinuousOn ContinuousAt atTop HasSum tsum limsup liminf Integrable volume IntervalIntegrable fderiv
analysis 7: AnalyticOn AnalyticAt ContinuousWithinAt UniformContinuous TendstoUniformly BoundedVariationOn Cauchy
analysis 3: MonotoneOn Monotone StrictMono StrictMonoOn Antitone ConvexOn ConcaveOn MeasureTheory
probability 10: Measure ProbabilityMeasure IsProbabilityMeasure ProbabilityTheory IndepFun variance PMF expectation condProb
geometry 9: EuclideanSpace EuclideanGeometry Collinear Concyclic Triangle affineSpan midpoint Sbtw Wbtw convexHull segment angle ∠
geometry 9: Cospherical AffineSubspace AffineIndependent Similar Congruent Orthocenter circumcenter InnerProductGeometry
geometry 4: dist Convex sphere ball volume
combinatorics 8: choose SimpleGraph Coloring chromaticNumber Fintype descFactorial Partition antidiagonal
combinatorics 4: card ncard encard powerset Pairwise PairwiseDisjoint Nodup
combinatorics 2: Fin
number theory 7: Prime Coprime ZMOD MOD ModEq ∣ divisors properDivisors factorization primeFactors padicValNat digits totient gcd lcm ZMod
number theory 7: IsCoprime legendreSym Squarefree IsSquare ofDigits minFac Irrational Transcendental
number theory 6: %
number theory 3: Even Odd mod dvd ℕ ℤ ℕ+ Nat Int MyNat
set theory 5: ∩ ∪ ⋂ ⋃ ᶜ Countable Cardinal Ordinal Ultrafilter preimage inter union subset ⁻¹'
set theory 2: ⊆ Set image Injective Surjective Bijective
computer science 7: List Tree Array String Stack Queue Heap Bool Stmt State Option HashMap RBMap UnionFind Regex Hoare Char Vector BitVec
computer science 7: foldl foldr
computer science 3: map filter append reverse length insert sort sorted eval some none take drop zip ++ ::
inequality 2: ≤ ≥ < >
algebra 5: Polynomial roots natDegree degree eval coeff X RatFunc logb log sqrt floor ceil sin cos tan exp ⌊ ⌈
algebra 4: ℝ ℂ ℚ Real Complex Rat NNReal I conj abs ‖ LinearOrderedField
algebra 2: ∑ ∏ sum prod Add CommRing Ring Field ^
logic 3: Prop And Or Not Iff Decidable True False
logic 1: ∧ ∨ ¬ ↔
"""


def _by_word() -> dict[str, dict[str, int]]:
    votes: dict[str, dict[str, int]] = {}
    for line in _VOTES.strip().split("\n"):
        named, words = line.split(": ", 1)
        domain, weight = named.rsplit(" ", 1)
        for word in words.split():
            votes.setdefault(word, {})[domain] = int(weight)
    return votes


_BY_WORD = _by_word()

_WORD = re.compile(r"""\"(?:\\.|[^"\\])*\"|ℕ\+|[∑∏]'|⁻¹'|<->|->|<=|>=|:=|=>|\+\+|::|[^\W\d][\w'!?]*|\d+|[^\w\s]""")
_SPELLING = {"<->": "↔", "->": "→", "<=": "≤", ">=": "≥"}
_NO_WORD = frozenset('."')
_ORDERS = frozenset("≤≥<>")
_RELATIONS = _ORDERS | {"=", "↔"}
_OPEN_LINE = re.compile(r"^\s*(?:open|import|set_option|namespace|end|section|universe)\b.*$", re.MULTILINE)


def domain_by_rules(formal: str, header: str = "") -> str:
    """Return one of `DOMAINS`, "other" if no word votes. An inequality is what would be algebra and ends in ≤, <, ≥ or >."""
    words = _words(formal)
    domain = _most_voted(words) or _most_voted(_words(_OPEN_LINE.sub("", header))) or "other"
    last = next((word for word in reversed(words) if word in _RELATIONS), "")
    return "inequality" if domain == "algebra" and last in _ORDERS else domain


def difficulty_by_rules(formal: str) -> int:
    """Return 1 to 10 by the length of the statement alone: 4 at 40 words, 2 more for each doubling. It does not measure how hard it is."""
    return min(max(round(2 * math.log2(max(len(_words(formal)), 1) / 10)), 1), 10)


def _most_voted(words: Sequence[str]) -> str:
    """Return the domain with the most votes, or "" if there are none."""
    votes: Counter[str] = Counter()
    for word in set(words):
        votes.update(_BY_WORD.get(word, {}))
    return max(votes, key=lambda domain: (votes[domain], -DOMAINS.index(domain)), default="")


def _words(text: str) -> list[str]:
    """Return names, split at their dots, numbers and symbols, without comments and quoted text."""
    words = _WORD.findall(strip_comments(text) if "--" in text or "/-" in text else text)
    return [_SPELLING.get(word, word) for word in words if word[0] not in _NO_WORD]
