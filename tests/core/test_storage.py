"""Names of files, and what is written to addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from saga_sr.core.errors import ConfigError
from saga_sr.core.storage import as_named, below, check_writable, is_address, plain, put_in_place, to_path, write_whole

pytest.importorskip("upath")


def test_file_addresses_are_paths_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    named = {
        "file:///a/b%20c.wav": "/a/b%20c.wav",  # fsspec decodes nothing
        "file://a b/": "a b/",
        "file://~/a": f"{tmp_path}/a",
        "@file:///a/list.txt": "@/a/list.txt",
        "/a/file:///b": "/a/file:///b",
        "s3://a/b": "s3://a/b",
        "a": "a",
    }
    assert {word: plain(word) for word in named} == named
    for word in ("file:///a/b", "file://b"):
        assert not is_address(word)
        assert as_named(word) == to_path(word) == Path(word.removeprefix("file://"))
    assert below(Path("/lists"), "file:///a/b") == Path("/a/b")


def test_folders_are_made_where_a_kind_of_address_has_them(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"sent")
    for n in range(2):  # the second time they are there
        write_whole(as_named(f"local://{tmp_path}/new/deep/written{n}"), "text")
        put_in_place(tmp_path / "file", as_named(f"local://{tmp_path}/other/deep/sent{n}"))
        assert (tmp_path / f"new/deep/written{n}").read_text() == "text"
        assert (tmp_path / f"other/deep/sent{n}").read_bytes() == b"sent"
    with pytest.raises(OSError, match="Not a directory"):
        write_whole(as_named(f"local://{tmp_path}/file/deep/a"), "text")
    for place in (f"local://{tmp_path}/not/there.wav", "memory://not/there.wav", f"{tmp_path}/not/there.wav"):
        check_writable(as_named(place))
    assert not (tmp_path / "not").exists()


def test_an_address_that_would_lose_its_host_is_refused() -> None:
    for address in ("sftp://user@host:2222/a.wav", "sftp://host/folder/"):
        with pytest.raises(ConfigError, match=f"{address} cannot be reached .such an address loses its host"):
            to_path(address)
