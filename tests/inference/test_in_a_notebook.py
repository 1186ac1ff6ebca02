"""What enhancing gives back in a notebook."""

from __future__ import annotations

import base64
import copy
import io
import pickle
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.audio.edges import Edge
from saga_sr.files.writing import write_audio
from saga_sr.inference.enhanced import EnhancedAudio
from saga_sr.inference.enhancer import Enhancer
from saga_sr.packages.package import load_package
from saga_sr.pages import before_after

RATE = 44_100


@pytest.fixture(scope="module")
def enhancer(package: Path) -> Enhancer:
    return Enhancer(load_package(package))


def dull(*shape: int, rate: int = RATE) -> torch.Tensor:
    audio = 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    return degrade(audio, [LowPassFilter("chebyshev1", 8, 5000)] * shape[0], rate)


def players(html: str) -> list[tuple[np.ndarray, int]]:
    """What the players hold, [time, channel], with their rates."""
    held = re.findall(r'<audio [^>]*src="data:audio/flac;base64,([^"]+)"', html)
    return [soundfile.read(io.BytesIO(base64.b64decode(data)), always_2d=True) for data in held]


def asks_the_network(html: str) -> bool:
    return bool(re.search(r"""(?i)<script|https?:|(src|href)\s*=\s*["'](?!data:)|url\(|@import""", html))


@pytest.fixture(scope="module")
def result(enhancer: Enhancer) -> EnhancedAudio:
    return enhancer(dull(1, 2, 9000, rate=22_050)[0].numpy(), 22_050, cutoff_hz=5000)


def test_it_is_still_the_pair_of_audio_and_rate(result: EnhancedAudio) -> None:
    audio, rate = result
    assert result[0] is audio and result.audio is audio and (rate, len(result)) == (RATE, 2)
    assert isinstance(result, tuple) and audio.shape == (2, 18_000)
    for again in (copy.copy(result), pickle.loads(pickle.dumps(result))):
        assert np.array_equal(again.audio, audio) and again.edges == result.edges and again.source_rate == 22_050


def test_players_hold_before_and_after_at_one_rate_length_and_level(result: EnhancedAudio) -> None:
    html = result._repr_html_()
    (before, rate), (after, after_rate) = players(html)
    assert rate == after_rate == RATE and before.shape == after.shape == (18_000, 2)
    assert np.abs(after - result.audio.T).max() < 1e-4
    assert "before" in html and "after" in html and "content ended at 5.0 kHz" in html
    assert not asks_the_network(html)
    # Both are turned down alike where one does not fit.
    loud = EnhancedAudio(4 * result.audio, RATE, result.source, 22_050, result.edges)
    (quiet_before, _), (quiet_after, _) = players(loud._repr_html_())
    peak = np.abs(loud.audio).max()
    assert peak > 1 and np.abs(quiet_after).max() == pytest.approx(1, abs=1e-3)
    assert np.abs(quiet_before - before / peak).max() < 1e-4


def test_pictures_share_one_scale_of_colours_and_have_their_axes(enhancer: Enhancer) -> None:
    """A result 40 dB below what it was made of is drawn darker; the same alone would look the same."""
    audio = dull(1, 1, 20_000)[0]
    quiet = EnhancedAudio(0.01 * audio, RATE, audio, RATE, [[[Edge(0, 1, 5000)]]])
    pictures = re.findall(r'<img alt="([^"]*)" src="data:image/png;base64,([^"]+)"', quiet._repr_html_())
    assert [alt for alt, _ in pictures] == [f"Spectrogram {title}, kHz over seconds" for title in ("before", "after")]
    bright, dark = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA").convert("L"), float)[
            40:-80, 80:-20
        ].mean()
        for _, data in pictures
    )
    assert dark < 0.6 * bright


def test_what_is_long_is_shown_from_its_beginning_and_by_excerpts(
    result: EnhancedAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(before_after, "MOST_SAMPLES", 8820)
    html = result._repr_html_()
    assert [len(held) for held, _ in players(html)] == [4410, 4410]
    assert "shown: the first 0.1 s of 0:00.4" in html
    excerpt = result.excerpt(0.2, 0.3)
    assert np.array_equal(excerpt.audio, result.audio[:, 8820:13_230]) and excerpt.source.shape == (2, 2205)
    assert {(edge.begin_s, edge.hz) for edge in excerpt.edges[0][0]} == {(0.0, 5000)}
    assert excerpt.edges[0][0][0].end_s == pytest.approx(0.1)
    assert "shown:" not in excerpt._repr_html_()


def test_a_batch_many_channels_and_integers_are_shown(enhancer: Enhancer) -> None:
    batch = (dull(5, 3, 3000) * 32_768).to(torch.int16)
    html = enhancer(batch, RATE, cutoff_hz=5000)._repr_html_()
    assert "Recording 4 of 5" in html and "1 more are not shown" in html and "the first 2 of 3 channels" in html
    assert len(players(html)) == 8 and all(held.shape == (3000, 2) for held, _ in players(html))


def test_a_file_is_shown_and_script_in_its_name_is_text(enhancer: Enhancer, tmp_path: Path) -> None:
    source, target = tmp_path / "<script>alert(1)<&script>.wav", tmp_path / "<img src=x onerror=alert(2)>.wav"
    write_audio(source, dull(1, 1, 8000)[0], RATE)
    done = enhancer.file(source, target, cutoff_hz=5000)
    assert (done.source, done.target) == (source, target)
    html = done._repr_html_()
    assert [held.shape for held, _ in players(html)] == [(8000, 1)] * 2
    assert not asks_the_network(html) and "onerror" in html
    assert re.findall(r"<(\w+)", html.replace(str(tmp_path), "")) == re.findall(r"<(\w+)", html)
    assert {*re.findall(r"<(\w+)", html)} == {"div", "style", "p", "b", "span", "figure", "figcaption", "img", "audio"}
    assert "<img src=x" not in html
    target.unlink()
    gone = done._repr_html_()
    assert "There is no file" in gone and "<img" not in gone


def test_without_what_draws_it_says_what_to_install(result: EnhancedAudio, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("saga_sr.pages")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "pip install" in result._repr_html_()


def test_a_notebook_gets_a_bar_unless_it_asks_for_progress_itself(
    enhancer: Enhancer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tqdm.auto

    made: list[str] = []

    class Bar(tqdm.tqdm):
        def __init__(self, *args: object, **kwargs: object) -> None:
            made.append(str(kwargs["desc"]))
            super().__init__(*args, **kwargs)

    audio = dull(1, 1, 3000)
    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    enhancer(audio, RATE)
    assert not made
    kernel = types.SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: kernel))
    told: list[float] = []
    enhancer(audio, RATE, progress=lambda done_s, total_s: told.append(done_s))
    assert told and not made
    enhancer(audio, RATE)
    assert made == ["Enhancing"]
