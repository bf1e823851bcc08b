"""Which of the library's compiled parsers are bound: every notation, tactic and syntax fragment of core Lean that a proof may use.

Each word is the last part of a Lean name, written as in Lean's own sources; `bindings.py` turns the lists into declarations.
Adding a tactic means adding its parser's name here, and to `core/` whatever lemmas its elaborator asks for by name. Tactics that no
proof may use (`native_decide`, `run_tac`, `stop`, `sleep`, the searching `exact?` and its kin) are left out on purpose.
"""

TRAILING_TERMS = """
term_∧_ term_∨_ term_↔_ term_<->_ term_≠_ term_=_ term_+_ term_-_ term_*_ term_/_ term_%_ term_^_ term_≤_ term_<=_ term_<_ term_>_ term_≥_
term_>=_ term_==_ term_!=_ term_∣_ term_::_ term_++_ term_∈_ term_∉_ term_∘_ term_×_ term_&&_ term_||_ term_<|_ term_|>_ term_$__ term_>>=_
term_<$>_ term_⊆_ term_∩_ term_∪_ term_⁻¹ term_≈_ term_⊂_ term_⊇_ term_⊃_ term_\\_ term_<<<_ term_>>>_ term_≍_
"""

LEADING_TERMS = """
term¬_ term!_ term-_ term∃_,_ termExists_,_ term[_] term%[_|_] termIfThenElse termDepIfThenElse termIfLet term∅ term{} term{_} term{_:_//_}
term‹_› term∎ termWithout_expected_type_ termΣ_,_ termΣ'_,_ coeNotation coeFunNotation coeSortNotation rawNatLit boolIfThenElse
"""

LEAN_TERMS = "calc"
LEAN_TACTICS = "calcTactic cdot solveTactic"
LEAN_FRAGMENTS = """
cdotTk calcFirstStep calcStep calcSteps binderIdent unbracketedExplicitBinders bracketedExplicitBinders explicitBinders
"""
LEAN_COMMANDS = "reduceCmd"

TACTICS = """
skip exact intro intros apply refine refine' constructor assumption left right cases induction contradiction revert clear rename renameI
rotateLeft rotateRight first focus done allGoals anyGoals case case' traceState traceMessage fail failIfSuccess tacticTry_
tacticRepeat_ repeat' repeat1' tacticRfl tacticRfl' eqRefl applyRfl symm change show tacticExists_,, tacticExfalso tacticTrivial tacticSorry
tacticAdmit tacticHave__ tacticHave' tacticLet__ tacticLet'__ tacticHaveI__ tacticLetI__ tacticSuffices_ tacticRefine_lift_
tacticRefine_lift'_ tacticInfer_instance tacticNext_=>_ tacticNofun tacticNomatch_,, tacticIterate____ tacticUnhygienic_
rewriteSeq rwSeq rwa rwaAt rwaAtLegacyLocation tacticErw___ simp simpAll dsimp simpa unfold delta decide omega split subst
substVars substEqs generalize injection injections specialize replace obtain rcases rintro paren withReducible withReducibleAndInstances
withUnfoldingAll withUnfoldingNone classical congr acRfl tacticAnd_intros exposeNames falseOrByContra tacIfThenElse tacDepIfThenElse
showTerm normCast0 pushCast tacticNorm_cast__ tacticExact_mod_cast_ funInduction funCases
solveByElim applyAssumption impossible tacticRw_mod_cast___ letrec
"""

ROOT_TACTICS = """
tacticBy_cases_:_ tacticFunext___ tactic∎ tacticDecreasing_tactic tacticDecreasing_with_ tacticDecreasing_trivial
tacticDecreasing_trivial_pre_omega tacticSimp_wf tacticClean_wf tacticGet_elem_tactic tacticGet_elem_tactic_extensible
tacticGet_elem_tactic_trivial
"""

TACTIC_FRAGMENTS = """
rwRule rwRuleSeq location locationType locationHyp locationWildcard optConfig config configItem posConfigItem negConfigItem valConfigItem
simpPre simpPost simpLemma simpErase simpStar simpArg simpArgs dsimpArg dsimpArgs discharger simpaArgsRest caseArg inductionAlts
inductionAlt inductionAltLHS elimTarget generalizeArg rcasesPatLo rcasesPatMed simpTraceArgsRest anchor
"""

RCASES_PATTERNS = "one ignore clear explicit tuple paren"
RINTRO_PATTERNS = "one binder"
ATTRIBUTES = "simp ext norm_cast"
PRECEDENCES = "precMax precArg precLead precMin precMin1 prec(_)"
PRIORITIES = "prioDefault prioHigh prioLow prioMid prio(_)"
TRAILING_SYNTAX = "stx_* stx_+ stx_? stx_,* stx_,+ stx_,*,? stx_,+,? stx_<|>_"
LEADING_SYNTAX = "stx!_"

CONVERSIONS = """
lhs rhs arg congr fun ext enter simp simpMatch unfold delta change pattern nestedConv skip paren reduce whnf zeta convTactic conv·_
convRw__ convArgs convLeft convRight convIntro___ convRfl convTry_ convRepeat_ convDone convTrace_state first allGoals
nestedTactic nestedTacticCore dsimp convConvSeq clear rewrite
"""
CONVERSION_FRAGMENTS = "convSeq convSeq1Indented convSeqBracketed enterArg enterPattern occs occsIndexed occsWildcard argArg"

UNEXPANDED = """
And Or Not Iff Eq Ne HAdd.hAdd HSub.hSub HMul.hMul HDiv.hDiv HMod.hMod HPow.hPow LE.le LT.lt GE.ge GT.gt Neg.neg Dvd.dvd List.cons
HAppend.hAppend Membership.mem Function.comp Prod BEq.beq bne Bool.and Bool.or Bool.not
"""
NAMED_UNEXPANDERS = {"Exists": "unexpandExists", "ite": "unexpandIte", "List.nil": "unexpandListNil", "List.cons": "unexpandListCons"}
