"""The format, with the `safetensors` package as the independent reader and writer; and every way in which a file can be broken."""

import json
import struct
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from oprover_jax.errors import InputError
from oprover_jax.models.hf.safetensors import DTYPES, map_tensors, read_header, write

TENSORS = {"b": np.arange(6.0).reshape(2, 3), "a": np.array([-1.5]), "empty": np.zeros((0, 4)), "c.d": np.ones((3, 1, 2))}


@pytest.mark.parametrize("dtype", DTYPES)
def test_files_of_the_reference_are_read_and_ours_are_read_by_it(dtype: str, tmp_path: Path) -> None:
    tensors = {name: array.astype(DTYPES[dtype]) for name, array in TENSORS.items()}
    save_file(tensors, tmp_path / "theirs", metadata={"format": "pt"})
    write(tmp_path / "ours", [(name, x.shape) for name, x in tensors.items()], DTYPES[dtype], iter(tensors.values()))
    theirs, ours = map_tensors(read_header(tmp_path / "theirs").values()), load_file(tmp_path / "ours")
    for found in (theirs, ours, map_tensors(read_header(tmp_path / "ours").values())):
        assert found.keys() == tensors.keys()
        for name, array in tensors.items():
            assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
            assert found[name].tobytes() == array.tobytes()


def test_what_is_written_must_be_what_was_announced(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a: got float32\[1, 2\], expected float32\[2\]"):
        write(tmp_path / "x", [("a", (2,))], DTYPES["F32"], iter([np.zeros((1, 2), np.float32)]))


def test_views_cannot_be_written_to(tmp_path: Path) -> None:
    write(tmp_path / "x", [("a", (2,))], DTYPES["BF16"], iter([np.zeros(2, ml_dtypes.bfloat16)]))
    view = map_tensors(read_header(tmp_path / "x").values())["a"]
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1


def raw(header: object, data: int = 8) -> bytes:
    """A file whose data starts at byte 264."""
    text = (header if isinstance(header, bytes) else json.dumps(header).encode()).ljust(256)
    return struct.pack("<Q", 256) + text + bytes(data)


def entry(dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


BROKEN = {
    "an empty file": (b"", "the header takes 0 bytes but the file has 0"),
    "no header": (b"abc", "the file has 3; it is truncated"),
    "a header longer than the file": (struct.pack("<Q", 99) + b"{}", "the header takes 99 bytes but the file has 10"),
    "a header of exabytes": (struct.pack("<Q", 2**63) + b"{}", f"the header takes {2**63} bytes"),
    "no JSON": (raw(b"{,}"), "the header is not valid JSON"),
    "no UTF-8": (raw(b'{"\xff": 1}'), "the header is not valid JSON"),
    "brackets without end": (raw(b"[" * 256), "the header is not valid JSON"),
    "a list": (raw([]), "the header is a JSON list, expected an object"),
    "a name twice": (raw(b'{"a": 1, "a": 2}'), "'a' occurs twice"),
    "an entry without a shape": (raw({"a": {"dtype": "F32"}}), 'tensor a: its entry in the header is {"dtype": "F32"}'),
    "an unknown dtype": (raw({"a": entry("F64", [1])}), 'tensor a has dtype "F64", expected one of F32, F16, BF16, I64'),
    "a dtype that is a list": (raw({"a": entry(["F32"])}), 'tensor a has dtype ["F32"], expected one of F32'),
    "a negative size": (raw({"a": entry(shape=[-2])}), "tensor a has shape [-2], expected a list of sizes"),
    "a size that is no number": (raw({"a": entry(shape=["2"])}), 'tensor a has shape ["2"]'),
    "offsets turned round": (raw({"a": entry(offsets=[8, 0])}), "tensor a has data_offsets [8, 0], expected [start, stop]"),
    "three offsets": (raw({"a": entry(offsets=[0, 4, 8])}), "expected [start, stop]"),
    "offsets that do not fit the shape": (raw({"a": entry(shape=[3])}), "tensor a has 8 bytes, expected 12 for F32 [3]"),
    "a shape that overflows": (raw({"a": entry(shape=[2**40, 2**40])}), f"expected {2**82} for F32"),
    "a truncated file": (raw({"a": entry()}, data=5), "tensor a ends at byte 272, but the file has 269"),
    "an overlap": (raw({"a": entry(), "b": entry(offsets=[4, 12])}, 12), "tensor b starts at byte 268, expected 272; it overlaps"),
    "a gap": (raw({"a": entry(), "b": entry(offsets=[12, 20])}, 20), "tensor b starts at byte 276, expected 272; it leaves a gap"),
    "bytes that nobody owns": (raw({"a": entry()}, data=9), "the tensors end at byte 272 but the file has 273"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_one_sentence_that_names_it(kind: str, tmp_path: Path) -> None:
    content, said = BROKEN[kind]
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_header(path)
    message = str(caught.value)
    assert str(path) in message and said in message and "\n" not in message, message


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none cannot be read"):
        read_header(tmp_path / "none")
