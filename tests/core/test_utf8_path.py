from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from saga_sr.core.utf8_path import as_text, utf8_path


def test_a_file_in_a_folder_whose_name_is_no_text_is_written_and_read(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"\xff")
    folder.mkdir()
    for action in (lambda path: save_file({"a": torch.ones(2)}, path), load_file):
        with utf8_path(folder / "x.safetensors") as way:
            assert str(way).isprintable()
            read = action(way)
    assert (folder / "x.safetensors").is_file() and torch.equal(read["a"], torch.ones(2))


def test_other_paths_stay_what_they_are(tmp_path: Path) -> None:
    with utf8_path(tmp_path / "ünï") as way:
        assert way == tmp_path / "ünï"


def test_names_as_text() -> None:
    assert as_text("ünï") == "ünï" and as_text(os.fsdecode(b"a\xff")) == "a\\xff"
