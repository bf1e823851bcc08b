"""`oprover corpus <verb>`: the OProofs corpus on the command line. Each verb's work stands in the module that it imports."""

from pathlib import Path

import tyro

corpus_app = tyro.extras.SubcommandApp()


@corpus_app.command(name="show")
def show_command(corpus: Path) -> None:
    """Say what a corpus holds.

    Args:
      corpus: Folder of the corpus.
    """
    raise NotImplementedError(corpus)  # replaced by the first verb that lands
