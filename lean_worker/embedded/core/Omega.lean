prelude
import OProverCore.IntDiv
/- `omega`, first half: linear combinations as lists of coefficients, the interval that holds of one, and why each step of the decision
procedure is sound. Definitions compute what the compiled procedure computes; some check an extra condition that always holds there. -/
set_option linter.unusedVariables false
set_option linter.defProp false

namespace Lean.Omega
abbrev IntList := List Int
abbrev Coeffs := IntList
namespace Coeffs
abbrev ofList (xs : List Int) : Coeffs := xs
abbrev length (xs : Coeffs) : Nat := List.length xs
def get : Coeffs → Nat → Int
  | [], _ => 0
  | x :: _, 0 => x
  | _ :: l, i + 1 => get l i
def set : Coeffs → Nat → Int → Coeffs
  | [], 0, y => [y]
  | [], i + 1, y => 0 :: set [] i y
  | _ :: l, 0, y => y :: l
  | x :: l, i + 1, y => x :: set l i y
def smul (l : Coeffs) (i : Int) : Coeffs := l.map (fun x => i * x)
def neg (l : Coeffs) : Coeffs := l.map (fun x => -x)
def combo (a : Int) : Coeffs → Int → Coeffs → Coeffs
  | [], b, m => m.map (fun y => a * 0 + b * y)
  | x :: l, b, [] => (a * x + b * 0) :: combo a l b []
  | x :: l, b, y :: m => (a * x + b * y) :: combo a l b m
def add : Coeffs → Coeffs → Coeffs
  | [], m => m.map (fun y => 0 + y)
  | x :: l, [] => (x + 0) :: add l []
  | x :: l, y :: m => (x + y) :: add l m
def sub : Coeffs → Coeffs → Coeffs
  | [], m => m.map (fun y => 0 - y)
  | x :: l, [] => (x - 0) :: sub l []
  | x :: l, y :: m => (x - y) :: sub l m
def dot : Coeffs → Coeffs → Int
  | x :: l, y :: m => x * y + dot l m
  | _, _ => 0
def gcd : Coeffs → Nat
  | [] => 0
  | x :: l => Nat.gcd x.natAbs (gcd l)
def sdiv (l : Coeffs) (g : Nat) : Coeffs := l.map (fun x => x / g)
def leading : Coeffs → Int
  | [] => 0
  | x :: l => if x = 0 then leading l else x
def bmod (l : Coeffs) (m : Nat) : Coeffs := l.map (fun x => Int.bmod x m)
def allZero : Coeffs → Bool
  | [] => true
  | x :: l => and (decide (x = 0)) (allZero l)
abbrev isZero (l : Coeffs) : Prop := allZero l = true
def bmod_dot_sub_dot_bmod (m : Nat) (a b : Coeffs) : Int := Int.bmod (dot a b) m - dot (bmod a m) b

theorem dot_nil_right (l : Coeffs) : dot l [] = 0 := by cases l <;> rfl
theorem dot_map {f : Int → Int} {c : Int} (h : ∀ x, f x = c * x) (l v : Coeffs) : dot (l.map f) v = c * dot l v := by
  induction l generalizing v with
  | nil => exact (Int.mul_zero c).symm
  | cons x l ih => cases v with
    | nil => exact (Int.mul_zero c).symm
    | cons y v =>
      show f x * y + dot (l.map f) v = c * (x * y + dot l v)
      rw [ih, h, Int.mul_add, Int.mul_assoc]
theorem dot_smul (l v : Coeffs) (i : Int) : dot (smul l i) v = i * dot l v := dot_map (fun _ => rfl) l v
theorem dot_neg (l v : Coeffs) : dot (neg l) v = -dot l v := by
  rw [Int.neg_eq_neg_one_mul]
  exact dot_map Int.neg_eq_neg_one_mul l v
theorem dot_combo (a : Int) (l : Coeffs) (b : Int) (m v : Coeffs) : dot (combo a l b m) v = a * dot l v + b * dot m v := by
  induction l generalizing m v with
  | nil =>
    show dot (m.map _) v = a * 0 + _
    rw [Int.mul_zero, Int.zero_add]
    exact dot_map (fun x => Int.zero_add _) m v
  | cons x l ih => cases v with
    | nil => rw [dot_nil_right, dot_nil_right, dot_nil_right, Int.mul_zero, Int.mul_zero]; rfl
    | cons z v => cases m with
      | nil =>
        show (a * x + b * 0) * z + dot (combo a l b []) v = a * (x * z + dot l v) + b * 0
        rw [ih, Int.mul_zero, Int.add_zero, Int.mul_add, Int.mul_assoc, Int.add_zero]
        show _ + (a * dot l v + b * 0) = _
        rw [Int.mul_zero, Int.add_zero]
      | cons y m =>
        show (a * x + b * y) * z + dot (combo a l b m) v = a * (x * z + dot l v) + b * (y * z + dot m v)
        rw [ih, Int.mul_add, Int.mul_add, Int.add_mul, Int.mul_assoc, Int.mul_assoc]; ac_rfl
theorem add_eq_combo (l m : Coeffs) : add l m = combo 1 l 1 m := by
  induction l generalizing m with
  | nil =>
    refine List.map_congr_left fun x _ => ?_
    rw [Int.mul_zero, Int.one_mul]
  | cons x l ih => cases m with
    | nil => exact (congrArg (_ :: ·) (ih [])).trans (congrArg (· :: _) (by rw [Int.one_mul, Int.mul_zero]))
    | cons y m => exact (congrArg (_ :: ·) (ih m)).trans (congrArg (· :: _) (by rw [Int.one_mul, Int.one_mul]))
theorem sub_eq_combo (l m : Coeffs) : sub l m = combo 1 l (-1) m := by
  induction l generalizing m with
  | nil =>
    refine List.map_congr_left fun x _ => ?_
    rw [Int.mul_zero, ← Int.neg_eq_neg_one_mul]; rfl
  | cons x l ih => cases m with
    | nil => exact (congrArg (_ :: ·) (ih [])).trans (congrArg (· :: _) (by rw [Int.one_mul, Int.mul_zero, Int.sub_zero, Int.add_zero]))
    | cons y m => exact (congrArg (_ :: ·) (ih m)).trans (congrArg (· :: _) (by rw [Int.one_mul, ← Int.neg_eq_neg_one_mul]; rfl))
theorem dot_add (l m v : Coeffs) : dot (add l m) v = dot l v + dot m v := by rw [add_eq_combo, dot_combo, Int.one_mul, Int.one_mul]
theorem dot_sub (l m v : Coeffs) : dot (sub l m) v = dot l v - dot m v := by
  rw [sub_eq_combo, dot_combo, Int.one_mul, ← Int.neg_eq_neg_one_mul]; rfl
theorem dot_of_isZero {l : Coeffs} (h : isZero l) (v : Coeffs) : dot l v = 0 := by
  induction l generalizing v with
  | nil => rfl
  | cons x l ih => cases v with
    | nil => rfl
    | cons y v =>
      have both := (Bool.and_eq_true _ _ ▸ h : decide (x = 0) = true ∧ allZero l = true)
      show x * y + dot l v = 0
      rw [ih both.2, of_decide_eq_true both.1, Int.zero_mul]; rfl
theorem dot_set (l v : Coeffs) (i : Nat) (y : Int) (h : l.length ≤ i) : dot (set l i y) v = dot l v + y * get v i := by
  induction i generalizing l v with
  | zero => cases l with
    | nil => cases v with
      | nil => exact ((Int.zero_add _).trans (Int.mul_zero y)).symm
      | cons z v => show y * z + 0 = 0 + y * z; rw [Int.add_zero, Int.zero_add]
    | cons x l => exact absurd h (Nat.not_succ_le_zero _)
  | succ i ih => cases v with
    | nil => rw [dot_nil_right, dot_nil_right]; exact ((Int.zero_add _).trans (Int.mul_zero y)).symm
    | cons z v => cases l with
      | nil =>
        show 0 * z + dot (set [] i y) v = 0 + y * get v i
        rw [ih [] v (Nat.zero_le i), Int.zero_mul, Int.zero_add]; rfl
      | cons x l =>
        show x * z + dot (set l i y) v = x * z + dot l v + y * get v i
        rw [ih l v (Nat.le_of_succ_le_succ h), Int.add_assoc]
theorem dot_bmod (l v : Coeffs) (m : Nat) : ∃ k, dot (bmod l m) v = dot l v + m * k := by
  induction l generalizing v with
  | nil => exact ⟨0, by rw [Int.mul_zero]; rfl⟩
  | cons x l ih => cases v with
    | nil => exact ⟨0, by rw [Int.mul_zero]; rfl⟩
    | cons y v =>
      obtain ⟨k, hk⟩ := ih v
      obtain ⟨j, hj⟩ := Int.bmod_eq x m
      refine ⟨j * y + k, ?_⟩
      show Int.bmod x m * y + dot (bmod l m) v = x * y + dot l v + m * (j * y + k)
      rw [hk, hj, Int.add_mul, Int.mul_add, Int.mul_assoc]; ac_rfl
theorem length_bmod (l : Coeffs) (m : Nat) : (bmod l m).length = l.length := List.length_map _
end Coeffs

/- ### Intervals -/
structure Constraint where
  lowerBound : Option Int
  upperBound : Option Int
namespace Constraint
def above (b : Option Int) (t : Int) : Prop := match b with
  | none => True
  | some x => x ≤ t
def below (b : Option Int) (t : Int) : Prop := match b with
  | none => True
  | some y => t ≤ y
def sat (c : Constraint) (t : Int) : Prop := above c.lowerBound t ∧ below c.upperBound t
def sat' (c : Constraint) (x y : Coeffs) : Prop := c.sat (Coeffs.dot x y)
def trivial : Constraint := ⟨none, none⟩
def impossible : Constraint := ⟨some 1, some 0⟩
def exact (r : Int) : Constraint := ⟨some r, some r⟩
def neg (c : Constraint) : Constraint := ⟨c.upperBound.map (fun x => -x), c.lowerBound.map (fun x => -x)⟩
def isImpossible : Constraint → Bool
  | ⟨some x, some y⟩ => decide (y < x)
  | _ => false
def hasZero : Constraint → Bool
  | ⟨l, u⟩ => and (match l with | none => true | some x => decide (x ≤ 0)) (match u with | none => true | some y => decide (0 ≤ y))
def scale (k : Int) (c : Constraint) : Constraint :=
  if k = 0 then (if c.isImpossible = true then c else ⟨some 0, some 0⟩)
  else if 0 < k then ⟨c.lowerBound.map (fun x => k * x), c.upperBound.map (fun x => k * x)⟩
  else ⟨c.upperBound.map (fun x => k * x), c.lowerBound.map (fun x => k * x)⟩
def sum : Option Int → Option Int → Option Int
  | some a, some b => some (a + b)
  | _, _ => none
def add (x y : Constraint) : Constraint := ⟨sum x.lowerBound y.lowerBound, sum x.upperBound y.upperBound⟩
def combo (a : Int) (x : Constraint) (b : Int) (y : Constraint) : Constraint := add (scale a x) (scale b y)
def combine (x y : Constraint) : Constraint :=
  ⟨Option.merge max x.lowerBound y.lowerBound, Option.merge min x.upperBound y.upperBound⟩
def div (c : Constraint) (k : Nat) : Constraint := ⟨c.lowerBound.map (fun x => -(-x / k)), c.upperBound.map (fun y => y / k)⟩

theorem not_sat_of_isImpossible {c : Constraint} (h : c.isImpossible = true) {t : Int} : ¬c.sat t := by
  obtain ⟨l, u⟩ := c
  cases l with
  | none => exact absurd h Bool.false_ne_true
  | some x => cases u with
    | none => exact absurd h Bool.false_ne_true
    | some y => exact fun g => Int.not_le.2 (of_decide_eq_true h) (Int.le_trans g.1 g.2)
theorem not_sat'_of_isImpossible {c : Constraint} (h : c.isImpossible = true) {x y : Coeffs} : ¬c.sat' x y := not_sat_of_isImpossible h
theorem neg_sat {c : Constraint} {t : Int} (h : c.sat t) : c.neg.sat (-t) := by
  obtain ⟨l, u⟩ := c
  constructor
  · cases u with
    | none => exact True.intro
    | some y => exact Int.neg_le_neg h.2
  · cases l with
    | none => exact True.intro
    | some x => exact Int.neg_le_neg h.1
theorem hasZero_of_sat {c : Constraint} (h : c.sat 0) : c.hasZero = true := by
  obtain ⟨l, u⟩ := c
  refine (Bool.and_eq_true _ _).symm ▸ ⟨?_, ?_⟩
  · cases l with
    | none => rfl
    | some x => exact decide_eq_true h.1
  · cases u with
    | none => rfl
    | some y => exact decide_eq_true h.2
theorem scale_sat {c : Constraint} (k : Int) {t : Int} (h : c.sat t) : (scale k c).sat (k * t) := by
  obtain ⟨l, u⟩ := c
  unfold scale
  split
  · next e =>
    subst e
    split
    · next g => exact absurd h (not_sat_of_isImpossible g)
    · rw [Int.zero_mul]; exact ⟨Int.le_refl 0, Int.le_refl 0⟩
  · next e =>
    split
    · next g =>
      constructor
      · cases l with
        | none => exact True.intro
        | some x => exact Int.mul_le_mul_of_nonneg_left h.1 (Int.le_of_lt g)
      · cases u with
        | none => exact True.intro
        | some y => exact Int.mul_le_mul_of_nonneg_left h.2 (Int.le_of_lt g)
    · next g =>
      have flip : ∀ {a b : Int}, a ≤ b → k * b ≤ k * a := fun {a b} h => by
        have := Int.mul_le_mul_of_nonneg_left h (Int.neg_le_neg (Int.not_lt.1 g))
        rw [Int.neg_mul, Int.neg_mul] at this
        have := Int.neg_le_neg this
        rwa [Int.neg_neg, Int.neg_neg] at this
      constructor
      · cases u with
        | none => exact True.intro
        | some y => exact flip h.2
      · cases l with
        | none => exact True.intro
        | some x => exact flip h.1
theorem add_sat {c d : Constraint} {s t : Int} (h₁ : c.sat s) (h₂ : d.sat t) : (add c d).sat (s + t) := by
  obtain ⟨l, u⟩ := c
  obtain ⟨m, w⟩ := d
  constructor
  · cases l <;> cases m <;> first | exact True.intro | exact Int.add_le_add h₁.1 h₂.1
  · cases u <;> cases w <;> first | exact True.intro | exact Int.add_le_add h₁.2 h₂.2
theorem combine_sat' {s t : Constraint} {x y : Coeffs} (ws : s.sat' x y) (wt : t.sat' x y) : (s.combine t).sat' x y := by
  obtain ⟨l, u⟩ := s
  obtain ⟨m, w⟩ := t
  constructor
  · cases l with
    | none => cases m <;> first | exact True.intro | exact wt.1
    | some a => cases m with
      | none => exact ws.1
      | some b => show max a b ≤ _; rw [Int.max_def]; split <;> first | exact wt.1 | exact ws.1
  · cases u with
    | none => cases w <;> first | exact True.intro | exact wt.2
    | some a => cases w with
      | none => exact ws.2
      | some b => show _ ≤ min a b; rw [Int.min_def]; split <;> first | exact ws.2 | exact wt.2
theorem div_sat {c : Constraint} {k : Nat} (hk : 0 < (k : Int)) {t : Int} (h : c.sat (k * t)) : (c.div k).sat t := by
  obtain ⟨l, u⟩ := c
  constructor
  · cases l with
    | none => exact True.intro
    | some x =>
      show -(-x / (k : Int)) ≤ t
      have g := Int.neg_le_neg h.1
      rw [← Int.mul_neg] at g
      have := Int.neg_le_neg (Int.le_ediv_of_mul_le hk g)
      rwa [Int.neg_neg] at this
  · cases u with
    | none => exact True.intro
    | some y => exact Int.le_ediv_of_mul_le hk h.2
theorem addInequality_sat {c : Int} {x y : Coeffs} (w : c + Coeffs.dot x y ≥ 0) :
    Constraint.sat' { lowerBound := some (-c), upperBound := none } x y := by
  refine ⟨?_, True.intro⟩
  have := Int.add_le_add_left w (-c)
  rwa [Int.add_zero, ← Int.add_assoc, Int.add_left_neg, Int.zero_add] at this
theorem addEquality_sat {c : Int} {x y : Coeffs} (w : c + Coeffs.dot x y = 0) :
    Constraint.sat' { lowerBound := some (-c), upperBound := some (-c) } x y := by
  have e : Coeffs.dot x y = -c := by rw [← Int.add_sub_cancel_left c (Coeffs.dot x y), w, Int.zero_sub]
  exact ⟨Int.le_of_eq e.symm, Int.le_of_eq e⟩
end Constraint

/- ### Steps -/
def positivize (p : Constraint × Coeffs) : Constraint × Coeffs :=
  if 0 ≤ Coeffs.leading p.2 then p else (p.1.neg, Coeffs.smul p.2 (-1))
def normalizeBy (g : Nat) (p : Constraint × Coeffs) : Constraint × Coeffs :=
  if g = 0 then
    (if p.1.hasZero = true then (if Coeffs.isZero p.2 then (Constraint.trivial, p.2) else p)
    else (if Coeffs.isZero p.2 then (Constraint.impossible, p.2) else p))
  else if g = 1 then p
  else if 0 < (g : Int) ∧ Coeffs.smul (Coeffs.sdiv p.2 g) g = p.2 then (p.1.div g, Coeffs.sdiv p.2 g) else p
def normalize (p : Constraint × Coeffs) : Constraint × Coeffs := normalizeBy (Coeffs.gcd p.2) p
def tidy (p : Constraint × Coeffs) : Constraint × Coeffs := normalize (positivize p)
abbrev tidyConstraint (s : Constraint) (x : Coeffs) : Constraint := (tidy (s, x)).1
abbrev tidyCoeffs (s : Constraint) (x : Coeffs) : Coeffs := (tidy (s, x)).2
theorem positivize_sat {p : Constraint × Coeffs} {v : Coeffs} (w : p.1.sat' p.2 v) : (positivize p).1.sat' (positivize p).2 v := by
  unfold positivize
  split
  · exact w
  · show p.1.neg.sat (Coeffs.dot (Coeffs.smul p.2 (-1)) v)
    rw [Coeffs.dot_smul, ← Int.neg_eq_neg_one_mul]
    exact Constraint.neg_sat w
theorem normalize_sat {p : Constraint × Coeffs} {v : Coeffs} (w : p.1.sat' p.2 v) : (normalize p).1.sat' (normalize p).2 v := by
  unfold normalize normalizeBy
  split
  · split
    · split
      · exact ⟨True.intro, True.intro⟩
      · exact w
    · next h =>
      split
      · next z =>
        have : p.1.sat (Coeffs.dot p.2 v) := w
        rw [Coeffs.dot_of_isZero z] at this
        exact absurd (Constraint.hasZero_of_sat this) h
      · exact w
  · split
    · exact w
    · split
      · next h =>
        refine Constraint.div_sat h.1 ?_
        rw [← Coeffs.dot_smul, h.2]
        exact w
      · exact w
theorem tidy_sat {s : Constraint} {x v : Coeffs} (w : s.sat' x v) : (tidyConstraint s x).sat' (tidyCoeffs s x) v :=
  normalize_sat (positivize_sat (p := (s, x)) w)
theorem combo_sat' (s t : Constraint) (a : Int) (x : Coeffs) (b : Int) (y v : Coeffs) (h₁ : s.sat' x v) (h₂ : t.sat' y v) :
    (Constraint.combo a s b t).sat' (Coeffs.combo a x b y) v := by
  show (Constraint.combo a s b t).sat (Coeffs.dot (Coeffs.combo a x b y) v)
  rw [Coeffs.dot_combo]
  exact Constraint.add_sat (Constraint.scale_sat a h₁) (Constraint.scale_sat b h₂)
abbrev bmod_div_term (m : Nat) (a b : Coeffs) : Int := Coeffs.bmod_dot_sub_dot_bmod m a b / m
def bmod_coeffs (m i : Nat) (x : Coeffs) : Coeffs := Coeffs.set (Coeffs.bmod x m) i m
theorem bmod_sat (m : Nat) (r : Int) (i : Nat) (x v : Coeffs) (h : x.length ≤ i) (p : Coeffs.get v i = bmod_div_term m x v)
    (w : (Constraint.exact r).sat' x v) : (Constraint.exact (Int.bmod r m)).sat' (bmod_coeffs m i x) v := by
  have e : Coeffs.dot x v = r := Int.le_antisymm w.2 w.1
  have goal : Coeffs.dot (bmod_coeffs m i x) v = Int.bmod r m := by
    unfold bmod_coeffs
    rw [Coeffs.dot_set _ _ _ _ (Coeffs.length_bmod x m ▸ h), p]
    show _ + (m : Int) * (Coeffs.bmod_dot_sub_dot_bmod m x v / m) = _
    unfold Coeffs.bmod_dot_sub_dot_bmod
    obtain ⟨k, hk⟩ := Coeffs.dot_bmod x v m
    obtain ⟨j, hj⟩ := Int.bmod_eq (Coeffs.dot x v) m
    have d : Int.bmod (Coeffs.dot x v) m - Coeffs.dot (Coeffs.bmod x m) v = m * (j - k) := by
      rw [hk, hj, Int.mul_sub, Int.sub_eq_add_neg, Int.neg_add, Int.sub_eq_add_neg]
      rw [show Coeffs.dot x v + m * j + (-Coeffs.dot x v + -(m * k)) = (Coeffs.dot x v + -Coeffs.dot x v) + (m * j + -(m * k)) by ac_rfl,
        Int.add_right_neg, Int.zero_add]
    have c := Int.mul_ediv_add_emod (m * (j - k)) m
    rw [Int.mul_emod_right, Int.add_zero] at c
    rw [d, c, ← d, e, Int.add_comm, Int.sub_add_cancel]
  exact ⟨Int.le_of_eq goal.symm, Int.le_of_eq goal⟩
end Lean.Omega
