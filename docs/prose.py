"""Check spelling, and phrases that this project does not use, in everything that people read: `python docs/prose.py`."""

import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
READ = ("README.md", "CONTRIBUTING.md", "docs", "examples", "launch", "configs", "bench", "lean_worker", "oprover_jax")
SKIPPED = ("docs/prose.py", "docs/reference/", "lean_worker/embedded/core/", "oprover_jax/synthetic/", "oprover_jax/statements/")

# phrases that must not appear, as patterns, with what to write instead; this file alone may contain them
PHRASES = {
    r"\bgo(es|ing)? on\b(?! (a|the|top))": "continue, resume",
    r"\bnobody can say\b": "unknown, no verdict",
    r"\bcannot be had\b": "unavailable",
    r"\bunder way\b": "in progress, running",
    r"\b(is|are) no (folder|file|directory|number|name|run|model)\b": "is not a ...",
    r"\bbeside\b": "next to, alongside",
    r"\bwhoever\b": "the client, the caller",
    r"\bwho asks?\b": "the client",
    r"\bhangs? up\b": "disconnects",
    r"\banew\b": "again",
    r"\bnewcomers?\b": "queued requests",
    r"\bis there already\b": "exists already",
    r"\bLean's words\b": "Lean's messages",
    r"\bteach(es)?\b|\btaught\b": "name the effect on training",
    r"\blessons?\b": "examples",
    r"\bpaid\b": "rewarded",
}

# words that codespell takes for mistakes: Lean's tactics and names, and names in tests of text
KNOWN = "happend,multline,ans,assertIn,fo,hace,hist,hte,ist,nd,ot,rcases,te,ue,wit,ro,ba,ser,mone,unparseable,nin"


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line numbers and lines that people read: of Python only comments and strings."""
    source = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield from enumerate(source.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            yield from enumerate(token.string.splitlines(), token.start[0])


def files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", *READ], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in listed if name.endswith((".py", ".md", ".sh")) and not name.startswith(SKIPPED)]


def main() -> int:
    """Print every finding and return the exit code."""
    found = 0
    for path in files():
        for number, line in texts(path):
            for phrase, instead in PHRASES.items():
                for match in re.finditer(phrase, line, re.IGNORECASE):
                    print(f"{path.relative_to(ROOT)}:{number}: {match[0]!r}; write: {instead}")
                    found += 1
    spelling = ["codespell", "--ignore-words-list", KNOWN, *map(str, files())]
    mistakes = subprocess.run([sys.executable, "-m", "codespell_lib", *spelling[1:]], cwd=ROOT, check=False).returncode
    return 1 if found or mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
