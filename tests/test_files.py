import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from oprover_jax.errors import InputError
from oprover_jax.files import locked, remove_leftovers, replacing, replacing_folder


def write(folder: Path, text: str) -> None:
    with replacing_folder(folder) as temporary:
        (temporary / "a").write_text(text)


def test_a_folder_is_made_and_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "folder"
    write(folder, "one")
    (folder / "b").write_text("goes with the old one")
    write(folder, "two")
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("a", "two")]
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]


def test_an_error_leaves_folder_and_file_as_they_were(tmp_path: Path) -> None:
    write(tmp_path / "folder", "old")
    (tmp_path / "file").write_text("old")
    with pytest.raises(KeyError), replacing_folder(tmp_path / "folder") as temporary, replacing(tmp_path / "file") as beside:
        (temporary / "a").write_text("new")
        beside.write_text("new")
        raise KeyError
    assert (tmp_path / "folder" / "a").read_text() == (tmp_path / "file").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_what_was_killed_between_the_two_renames_comes_back(tmp_path: Path) -> None:
    """The old folder is then out of the way and the new one not yet there."""
    write(tmp_path / "folder", "old")
    os.replace(tmp_path / "folder", tmp_path / ".folder.old.tmp")
    (tmp_path / ".folder.new.tmp").mkdir()
    with pytest.raises(KeyError), replacing_folder(tmp_path / "folder"):
        raise KeyError
    assert (tmp_path / "folder" / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path) -> None:
    write(tmp_path / "real", "old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real" / "a").read_text() == "new"


def test_the_file_of_a_killed_writer_is_removed_and_that_of_a_running_one_stays(tmp_path: Path) -> None:
    program = """
import os, signal, sys
from pathlib import Path
from oprover_jax.files import replacing
with replacing(Path(sys.argv[1]) / "killed") as temporary:
    temporary.write_text("torn")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    folder = tmp_path / "deep"
    folder.mkdir()
    done = subprocess.run([sys.executable, "-c", program, str(folder)], check=False)
    assert done.returncode == -signal.SIGKILL and len(list(folder.iterdir())) == 1
    (folder / ".notes.tmp").write_text("somebody's own")
    with replacing(folder / "running") as temporary:
        temporary.write_text("whole")
        remove_leftovers(tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == [".notes.tmp", "running"]


HOLD = """
import sys
from pathlib import Path
from oprover_jax.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_folder_in_use_is_refused_with_its_owner_and_taken_over_from_the_dead(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "run"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None and owner.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=f"is in use by process {owner.pid} on {socket.gethostname()}; ") as caught, locked(folder):
            pass
        assert "\n" not in str(caught.value)
        owner.kill()
    for _ in range(2):
        with locked(folder):
            with pytest.raises(InputError, match=f"process {os.getpid()} on"), locked(folder):  # the same process counts as well
                pass
            with locked(tmp_path / "another"):
                pass
    assert not (folder / ".owner").exists()
