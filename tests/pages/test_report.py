from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from torch import Tensor

from saga_sr.evaluation.comparison import SHOWN, Clip, Comparison, Example, Row, compare_methods
from saga_sr.evaluation.invariance_figures import FIGURES
from saga_sr.evaluation.invariances import Invariances
from saga_sr.pages import report
from saga_sr.pages.spectrograms import spectrogram_figure

RATE = 44_100
CURVES = {"loss": {"train/loss": [(1.0, 2.0), (2.0, 1.0)], "val/loss": [(2.0, 1.5)]}, "never logged": {"val/x": []}}


class Page(HTMLParser):
    """Tags that are opened, and whether each is closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def sources(self, tag: str) -> list[bytes]:
        found = [attrs["src"] or "" for name, attrs in self.tags if name == tag]
        assert all(source.startswith("data:") for source in found)
        return [base64.b64decode(source.split(",", 1)[1]) for source in found]


def noise(seed: int, n: int = 8000) -> Tensor:
    return 0.1 * torch.randn(1, n, generator=torch.Generator().manual_seed(seed))


def compared(n: int = 8000) -> Comparison:
    clips = [Clip(f"clip <{i}>", noise(i, n), "white noise") for i in range(2)]
    methods = {"input": lambda lr, cutoff, _: lr, "output": lambda lr, cutoff, _: 0.5 * lr}
    return compare_methods(clips, methods, [4000, 8000], RATE, examples=1)


def invariances() -> Invariances:
    """Of two clips, of which one is right in all and the other but in the pan, and of one that failed."""
    ideal = {name: figure.ideal for name, figure in FIGURES.items()}
    rows = [Row("a", 4000, "output", ideal), Row("b", 4000, "output", ideal | {"pan_db": -3.25})]
    return Invariances(rows, ["c at 4000 Hz: <silent>"])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    return report.write_report(path, compared(), invariances(), "A & B", {"model": "m < 1"}, CURVES)


def test_the_page_is_whole_and_needs_nothing_else(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    page = Page(text)
    assert not page.open
    assert not re.search(r"https?:|<script|<link|@import|url\(", text)
    assert "A &amp; B" in text and "m &lt; 1" in text and "clip &lt;0&gt;" in text and "clip &lt;1&gt;" not in text
    assert [p.name for p in written.parent.iterdir()] == ["report.html"]


def test_each_signal_has_a_picture_and_a_player_in_order(written: Path) -> None:
    page, result = Page(written.read_text(encoding="utf-8")), compared()
    players = page.sources("audio")
    signals = [audio for example in result.examples for audio in example.audios.values()]
    assert len(players) == len(signals) == 2 * 3  # cutoffs x (input, output, reference)
    for player, signal in zip(players, signals, strict=True):
        heard, rate = soundfile.read(io.BytesIO(player), dtype="float32")
        assert rate == RATE and np.abs(heard - signal[0].numpy()).max() < 1e-4
    pictures = page.sources("img")
    assert len(pictures) == 2 * 3 + 1  # and a panel of curves
    assert all(Image.open(io.BytesIO(picture)).format == "PNG" for picture in pictures)


def test_the_best_of_each_column_is_marked() -> None:
    result = Comparison(RATE)
    values = dict.fromkeys(SHOWN, 1.0)
    for method, changed in (
        ("input", {"lsd_hf": 5.0, "level_hf_db": -40.0, "si_sdr": 20.0}),
        ("output", {"lsd_hf": 1.2345, "level_hf_db": 3.0, "si_sdr": 18.0}),
        ("ceiling", {"lsd_hf": 0.0, "level_hf_db": 0.0, "si_sdr": 18.0}),
    ):
        result.rows.append(Row("a", 4000, method, values | changed))
    lines = re.findall(r"<td>(.*?)</td>((?:<td.*?</td>)+)", report._table(result, list(SHOWN)))
    best = {name: re.findall(r"<td class=best>(.*?)</td>", cells) for name, cells in lines}
    assert best["after (output)"] == ["1.23", "1.00", "1.00", "1.00", "3.00", "1.00", "1.00", "1.00"]
    assert best["before (input)"] == ["1.00", "1.00", "1.00", "1.00", "1.00", "20.00", "1.00"]
    assert best["ceiling (codec)"] == []  # no method's merit
    assert "Ceiling: " in report._of_the_ceiling(result) and not report._of_the_ceiling(compared())


def test_level_stereo_and_low_band_have_a_table_that_says_what_is_right(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    table = text[text.index('<table class="figures">') :].partition("<tbody>")[2]
    table = table[: table.index("</table>")]
    lines = re.findall(
        r"<tr><th>(.*?)</th><td( class=best)?>(.*?)</td><td>(.*?)</td><td class=\"meaning\">(.*?)</td>", table
    )
    assert [line[0] for line in lines] == [figure.title for figure in FIGURES.values()]
    assert [line[0] for line in lines if not line[1]] == ["pan (dB)"]
    assert ("pan (dB)", "", "−3.25", "0 ± 0.1") in [line[:4] for line in lines]
    assert all(len(line[4]) > 40 for line in lines)
    assert "Of 2 of the clips" in text and "c at 4000 Hz: &lt;silent&gt;" in text


def test_long_examples_are_cut_so_that_the_page_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    result = compared(20_000)
    monkeypatch.setattr(report, "MOST_SAMPLES", 6 * 5000)
    text = report._examples(result)
    assert "first 0.1 s" in text
    for player in Page(text).sources("audio"):
        assert len(soundfile.read(io.BytesIO(player))[0]) == 5000


def test_failures_are_listed_and_no_examples_is_no_section(tmp_path: Path) -> None:
    result = compared()
    result.examples.clear()
    result.failures.append("b at 4000 Hz: <broken>")
    text = report.write_report(tmp_path / "r.html", result, Invariances(), "t", {}, {}).read_text(encoding="utf-8")
    assert "left out: 1" in text and "&lt;broken&gt;" in text
    assert "<h2>Clips" not in text and "<h2>Training" not in text


def test_spectrograms_show_frequency_upwards_on_one_scale() -> None:
    """A tone at 11 kHz is bright half-way up; the same tone 40 dB down is darker, not rescaled."""
    tone = torch.sin(2 * torch.pi * 11_025 / RATE * torch.arange(20_000))[None]
    figure = spectrogram_figure({"loud": tone, "soft": 0.01 * tone}, RATE, 4000)
    loud, soft = (axis.images[0] for axis in figure.axes[:2])
    for image, level in ((loud, 0), (soft, -40)):
        column = np.asarray(image.get_array())[:, 20]
        assert int(column.argmax()) == 512 and column.max() == pytest.approx(level, abs=0.5)
        assert image.origin == "lower" and image.get_extent() == [0, 20_000 / RATE, 0, 22.05]
    assert loud.get_clim() == soft.get_clim()
    assert figure.axes[0].lines[0].get_ydata()[0] == 4.0
    assert figure.axes[0].get_xlabel() == "time (s)" and figure.axes[0].get_ylabel() == "frequency (kHz)"


def test_a_stereo_example_has_a_stereo_player() -> None:
    clip = Clip("a", noise(0).repeat(2, 1))
    result = Comparison(RATE, [], [Example(clip, 4000, {"reference": clip.audio})])
    (player,) = Page(report._examples(result)).sources("audio")
    assert soundfile.info(io.BytesIO(player)).channels == 2
