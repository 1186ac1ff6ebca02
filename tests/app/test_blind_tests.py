"""Recordings restored in two ways for a blind test: what is heard, how loud, and what nobody is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile
import torch
from media import music

from saga_sr.app.asking import Asked
from saga_sr.app.blind_tests import Listening, Way
from saga_sr.app.compare_view import told
from saga_sr.app.level_matching import matching_gains
from saga_sr.app.service import Service
from saga_sr.app.settings import AppSettings
from saga_sr.app.settings_form import changes_in
from saga_sr.core.errors import ConfigError, UsageError

ASKED, RATE = Asked("page", "user"), 44_100
WAYS = (Way("saga-sr-mini"), Way("saga-sr-mini", "fast", {"seed": 1}))


@pytest.fixture
def service(tmp_path: Path) -> Service:
    (tmp_path / "root").mkdir()
    settings = AppSettings(
        host="127.0.0.1", port=0, open=False, models=(), read=(tmp_path,), write=(), device="cpu", upload_mb=10,
        length_s=60, recordings=5, compute_s=None, keep_s=3600,
    )  # fmt: skip
    return Service(settings, tmp_path / "root")


@pytest.fixture
def key(service: Service, tmp_path: Path) -> str:
    """A recording in stereo of which nothing is left above 4 kHz."""
    soundfile.write(tmp_path / "old.wav", music(2, 8000, 8000).T, 8000)
    (entry,) = service.add_from(ASKED, str(tmp_path / "old.wav"))
    return entry.key


def begun(service: Service, key: str, ways: tuple[Way, Way] = WAYS, count: int = 3) -> Listening:
    listening = service.blind_tests.begin(ASKED, key, ways, count)
    for _ in service.blind_tests.follow(ASKED, listening):
        pass
    return listening


def test_a_and_b_are_the_two_and_x_is_one_of_them_until_it_is_answered(service: Service, key: str) -> None:
    listening = begun(service, key)
    a, b, x = (listening.stretch(heard, 0, RATE) for heard in ("a", "b", "x1"))
    assert a is not None and b is not None and x is not None and a.shape == b.shape == (2, RATE)
    assert not torch.equal(a, b) and torch.equal(x, a) != torch.equal(x, b)
    said = "a" if torch.equal(x, a) else "b"
    assert listening.gains is not None
    listening.gains = (listening.gains[0] / 2, listening.gains[1] / 2)
    for heard, before in (("a", a), ("b", b), ("x1", x)):
        quieter = listening.stretch(heard, 0, RATE)
        assert quieter is not None and torch.allclose(quieter, before / 2)
    for other in ("x2", "x0", "x", "c", ""):
        assert listening.stretch(other, 0, RATE) is None
    known = json.dumps(told(listening))
    assert "mini" not in known and "seed" not in known and "result" not in known
    service.blind_tests.answer(ASKED, 1, said)
    assert listening.stretch("x1", 0, RATE) is None and listening.stretch("x2", 0, RATE) is not None
    service.blind_tests.stop(ASKED)
    result = told(listening)["result"]
    assert (result["right"], result["p_value"]) == (1, 0.5)
    assert {result["a"], result["b"]} == {"saga-sr-mini", "saga-sr-mini preset=fast seed=1"}
    assert service.blind_tests.write_csv(ASKED).read_text().count("\n") == 2


def test_what_cannot_be_told_apart_is_no_test(service: Service, key: str) -> None:
    with pytest.raises(UsageError, match="Both are the same"):
        service.blind_tests.begin(ASKED, key, (WAYS[0], WAYS[0]), 3)
    alike = begun(service, key, (Way("saga-sr-mini"), Way("saga-sr-mini", changes={"chunk_s": 9.0})))
    assert alike.state == "failed" and "the same result" in alike.failure
    for wrong, message in ((Way("other"), "no model 'other'"), (Way("saga-sr-mini", changes={"stepz": 1}), "stepz")):
        with pytest.raises((UsageError, ConfigError), match=message):
            service.blind_tests.begin(ASKED, key, (WAYS[0], wrong), 3)
    with pytest.raises(UsageError, match="no such recording"):
        service.blind_tests.begin(Asked("another page", "user"), key, WAYS, 3)


def test_a_page_that_is_closed_takes_its_test_along(service: Service, key: str) -> None:
    listening = begun(service, key)
    assert service.blind_tests.find(listening.key) is listening
    service.leave(ASKED.session)
    assert service.blind_tests.find(listening.key) is None and listening.stretch("a", 0, RATE) is None
    with pytest.raises(UsageError, match="no test here"):
        service.blind_tests.answer(ASKED, 1, "a")


def test_both_are_as_loud_below_the_edge_and_nothing_is_above_full_scale() -> None:
    generator = torch.Generator().manual_seed(0)
    time = torch.arange(4 * RATE) / RATE
    tone, high = 0.4 * torch.sin(2 * torch.pi * 440 * time), torch.sin(2 * torch.pi * 9000 * time)
    one, other = tone.repeat(2, 1), (2 * tone + 0.5 * high).repeat(2, 1)
    first, second = matching_gains(one.split(50_000, 1), other.split(50_000, 1), RATE, 4000.0)
    assert first == pytest.approx(2 * second, rel=1e-3) and first == pytest.approx(1, rel=1e-3)
    loud = 3 * torch.randn(2, RATE, generator=generator)
    gains = matching_gains([loud], [0.5 * loud], RATE, float("inf"))
    assert gains[0] * float(loud.abs().max()) == pytest.approx(1) and gains[1] == pytest.approx(2 * gains[0])
    assert matching_gains([torch.zeros(1, 100)], [one], RATE, 4000.0) == (1, 1)


def test_changes_are_read_as_commands_have_them() -> None:
    assert changes_in("steps=8 seed=1\nprompt='a violin'") == {"steps": 8, "seed": 1, "prompt": "a violin"}
    assert changes_in("") == {}
    with pytest.raises(UsageError, match="no change of a setting"):
        changes_in("steps")
    with pytest.raises(ConfigError, match="cannot be read"):
        changes_in("steps=[1")
