"""The app's queue, and what stands before it, without a browser."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from saga_sr.app.allowance import Allowance
from saga_sr.app.folders import LONGEST_NAME, allowed, safe_name
from saga_sr.app.settings import AppSettings, settings_of
from saga_sr.app.work_queue import Ticket, WorkQueue
from saga_sr.cli.command import configured, read
from saga_sr.core.errors import ConfigError, UsageError


def test_owners_take_turns_and_know_their_places() -> None:
    queue, order, begun, go = WorkQueue(), [], threading.Event(), threading.Event()

    def first() -> None:
        begun.set()
        go.wait()

    def add(owner: str) -> Ticket:
        return queue.add(owner, lambda: order.append(owner))

    running = queue.add("a", first)
    begun.wait()
    tickets = [add("a"), add("a"), add("b"), add("a"), add("b")]
    assert queue.place(running) == 0
    assert [queue.place(ticket) for ticket in tickets] == [1, 3, 2, 5, 4]
    assert queue.withdraw(tickets[1]) and not queue.withdraw(running)
    go.set()
    for ticket in tickets:
        ticket.ended.wait(10)
    assert order == ["a", "b", "a", "b"]


def test_an_error_of_one_is_not_the_end_of_all() -> None:
    queue = WorkQueue()
    failed, done = queue.add("a", lambda: 1 // 0), threading.Event()
    queue.add("b", done.set)
    assert failed.ended.wait(10) and done.wait(10)


def test_what_a_user_has_used_up_is_there_again_after_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("saga_sr.app.allowance.time.monotonic", lambda: now)
    allowance = Allowance(10)
    allowance.spend("a", 11)
    allowance.check("b")
    with pytest.raises(UsageError, match="come again in 60 minutes"):
        allowance.check("a")
    now = 3601.0
    allowance.check("a")


def test_only_what_lies_in_a_folder_that_was_named_is_allowed(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    for folder in (inside, outside):
        folder.mkdir()
    (inside / "link").symlink_to(outside)
    assert allowed(inside / "a.wav", [inside], "read") == inside / "a.wav"
    assert allowed(inside, [inside], "read") == inside
    for path in (outside, inside / "..", inside / "link" / "a.wav", f"{inside}x", "\0", "~nobody/x", ""):
        with pytest.raises(UsageError, match="start it with read=FOLDER"):
            allowed(path, [inside], "read")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("a song.mp3", "a song.mp3"), ("../../etc/passwd", "passwd"), ("C:\\x\\a.wav", "a.wav"), (".bashrc", "bashrc"),
        ("", "recording"), ("..", "recording"), ("/", "recording"),
        ("a\n\0b\u202e.wav", "ab.wav"), ("音.flac", "音.flac"),
    ],
)  # fmt: skip
def test_a_name_is_only_a_name(name: str, kept: str) -> None:
    assert safe_name(name) == kept


def test_a_name_fits_every_system() -> None:
    assert (
        len(safe_name("音" * 300 + ".flac").encode()) <= LONGEST_NAME
        and safe_name("音" * 300 + ".flac")[-5:] == ".flac"
    )


def app_settings(*words: str) -> AppSettings:
    from saga_sr.app.command import COMMAND

    return settings_of(configured(COMMAND, read(COMMAND, words)))


def test_who_can_reach_it_and_impossible_settings(tmp_path: Path) -> None:
    assert not app_settings().is_public and not app_settings("host=localhost").is_public
    assert not app_settings("host=::1").is_public
    assert app_settings("host=0.0.0.0").is_public and app_settings("host=192.168.1.2").is_public
    assert app_settings(f"read={tmp_path}").read == app_settings(f"read=[{tmp_path}]").read == (tmp_path.resolve(),)
    for words, said in (("port=70000", "port=70000"), ("upload_mb=0", "upload_mb=0"), ("write=/nowhere", "/nowhere")):
        with pytest.raises(ConfigError, match=said):
            app_settings(words)


def test_an_app_for_others_asks_for_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    from saga_sr.app.command import password_for

    monkeypatch.delenv("SAGA_SR_PASSWORD", raising=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert password_for(app_settings()) is None
    with pytest.raises(UsageError, match="give SAGA_SR_PASSWORD in the environment"):
        password_for(app_settings("host=0.0.0.0"))
    monkeypatch.setenv("SAGA_SR_PASSWORD", "sesame")
    assert password_for(app_settings("host=0.0.0.0")) == "sesame"
