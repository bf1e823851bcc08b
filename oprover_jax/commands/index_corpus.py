"""`oprover corpus index`: the encoder by name, the benchmarks to keep out, and the index that they make."""

from pathlib import Path

from oprover_jax.corpus.corpus import Corpus, open_corpus
from oprover_jax.posttraining.policy import open_encoder
from oprover_jax.progress import ProgressConsole
from oprover_jax.retrieval.corpus_memory import Guard, index_corpus, index_folder, saved_encoder
from oprover_jax.retrieval.encoder import EncoderFileError, LexicalEncoder
from oprover_jax.retrieval.index import IndexConfig
from oprover_jax.sharding import MeshConfig, make_mesh
from oprover_jax.statements.benchmarks import load_benchmarks


def index_with(where: str, encoder: str, out: Path | None, data: Path | None, config: IndexConfig, console: ProgressConsole) -> None:
    """Build or extend the index of the corpus at `where` and print what it holds.

    Args:
      where: Corpus folder or URL.
      encoder: "lexical", "minilm", or the folder of a policy.
      out: Folder of the index; by default next to the corpus.
      data: Folder with benchmarks/; None keeps nothing out.
      config: Search settings.
      console: Receives progress and the result.
    """
    corpus = open_corpus(where)
    folder = index_folder(corpus, encoder if encoder in ("lexical", "minilm") else "policy", out)
    guard = Guard.of(load_benchmarks(data)) if data is not None else None
    if guard is None:
        console.line("no data folder is given, so no benchmark is kept out beyond what the corpus itself leaves out")
    opened = open_encoder(encoder, lambda: _lexical(corpus, folder), make_mesh(MeshConfig()))
    with console.bar("index") as progress:
        done = index_corpus(corpus, opened, folder, config, guard, progress)
    if done.why:
        console.line(done.why)
    tree = f"a tree of {done.saved.tree.leaves:,} leaves" if done.saved.tree else "exact search"
    console.line(f"{folder}: {done.saved.proofs:,} statements with a verified proof, encoder {opened.name}, {tree}")
    if done.kept_out:
        console.line(f"{done.kept_out:,} statements of benchmarks were kept out")


def _lexical(corpus: Corpus, folder: Path) -> LexicalEncoder:
    """Return the encoder of the index in `folder`, whose document frequencies last as long as the index can be extended, or a new one."""
    try:
        known = saved_encoder(folder)
    except EncoderFileError:
        known = None
    return known or LexicalEncoder.fit(corpus.statements())
