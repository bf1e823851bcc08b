"""Branch 2 of OProofs, from candidates to statements: formalized by a policy, elaborated by Lean, judged by a critic, screened, chosen."""
