"""What codecs keep of recordings as one self-contained HTML page: tables, spectrograms and players side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from torch import Tensor

from saga_sr.core.atomic_file import write_atomically
from saga_sr.evaluation.reconstruction import Reconstructed
from saga_sr.evaluation.reconstruction_table import COST, QUALITY, Column, mean_figures, mean_octaves, methods_of
from saga_sr.pages.page import AIMS, colour_key, page, picture, player
from saga_sr.pages.spectrograms import loudest_db, spectrogram_panel

# What keeps the page below 25 MB: longer recordings are cut. A sample takes a byte or a little more.
MOST_SAMPLES = 11_500_000
NOTES = (
    "Each codec hears a recording at its own rate and at a peak of 0.5, and what comes out is brought back to the "
    "recording's rate, length and level. LSD in log10 power (2048/512 Hann). PESQ and STOI are made for speech. "
    "The best of each column is green; – is not defined."
)
COSTS = (
    "Time is that of encoding and decoding. Compression: samples of the recording to numbers of the latent, both at 16 "
    "bits, as are kbit/s."
)
Values = Mapping[str, float | None]


def write_reconstruction_page(path: Path, recordings: Sequence[Reconstructed], skipped: Mapping[str, str]) -> Path:
    """Write the page to `path`; it needs no network and no other file.

    Args:
        recordings: those that still have their audio are shown and heard.
        skipped: why each method that was not tried was not.
    """
    shown = [recording for recording in recordings if recording.audio.numel()]
    body = [
        _reasons("Skipped", skipped),
        _means(recordings),
        _each(recordings) if len(recordings) > 1 else "",
        _reasons("Failed", {f"{r.name}, {method}": why for r in recordings for method, why in r.failures.items()}),
        _heard(shown),
    ]
    return write_atomically(path, page("What codecs keep", "".join(body)))


def _means(recordings: Sequence[Reconstructed]) -> str:
    methods = methods_of(recordings)
    figures = {method: mean_figures(recordings, method) for method in methods}
    octaves = {method: mean_octaves(recordings, method) for method in methods}
    centres = sorted({hz for values in octaves.values() for hz in values})
    by_name = {method: {f"{hz:g}": value for hz, value in values.items()} for method, values in octaves.items()}
    names = {f"{hz:g}": Column(f"{hz / 1000:g} kHz" if hz >= 1000 else f"{hz:g} Hz", True) for hz in centres}
    title = f"Means over {len(recordings)} recordings" if len(recordings) > 1 else Path(recordings[0].name).name
    return (
        f"<h2>{escape(title)}</h2>{_table({'': figures}, QUALITY)}"
        f'<p class="soft">{NOTES}</p>'
        f"<h2>Time and size</h2>{_table({'': figures}, COST)}"
        f'<p class="soft">{COSTS}</p>'
        f"<h2>Log-spectral distance by octave</h2>{_table({'': by_name}, names)}"
    )


def _each(recordings: Sequence[Reconstructed]) -> str:
    groups = {r.name: {method: result.figures for method, result in r.results.items()} for r in recordings}
    return f"<h2>Each recording</h2>{_table(groups, QUALITY)}"


def _table(groups: Mapping[str, Mapping[str, Values]], columns: Mapping[str, Column]) -> str:
    """A group of lines for each recording, a line a method; columns in which nothing is defined are left out."""
    lines = [values for group in groups.values() for values in group.values()]
    columns = {name: column for name, column in columns.items() if any(v.get(name) is not None for v in lines)}
    head = "".join(f"<th>{escape(column.title)}{_aim(column)}</th>" for column in columns.values())
    bodies = "".join(_group(name, group, columns) for name, group in groups.items() if group)
    return (
        f'<div class="wide"><table class="figures"><thead><tr><th>codec</th>{head}</tr></thead>{bodies}</table></div>'
    )


def _aim(column: Column) -> str:
    return "" if column.less_is_better is None else f" {AIMS[column.less_is_better]}"


def _group(name: str, group: Mapping[str, Values], columns: Mapping[str, Column]) -> str:
    best = {key: _best([values.get(key) for values in group.values()], column) for key, column in columns.items()}
    rows = []
    for method, values in group.items():
        cells = []
        for key, column in columns.items():
            text = column.text(values.get(key))
            is_best = best[key] is not None and text == column.text(best[key])
            cells.append(f"<td{' class=best' if is_best else ''}>{text.replace('-', '−')}</td>")
        rows.append(f"<tr><th>{escape(method)}</th>{''.join(cells)}</tr>")
    title = f'<tr><th class="soft" colspan="{1 + len(columns)}">{escape(Path(name).name)}</th></tr>' if name else ""
    return f"<tbody>{title}{''.join(rows)}</tbody>"


def _best(values: Sequence[float | None], column: Column) -> float | None:
    """The best of `values` where there is a choice."""
    known = [value for value in values if value is not None]
    if column.less_is_better is None or len(known) < 2:
        return None
    return min(known) if column.less_is_better else max(known)


def _reasons(title: str, reasons: Mapping[str, str]) -> str:
    if not reasons:
        return ""
    items = "".join(f"<li>{escape(reason)}</li>" for reason in reasons.values())
    return (
        f'<details class="soft" open><summary>{title}: {escape(", ".join(reasons))}</summary><ul>{items}</ul></details>'
    )


def _heard(recordings: Sequence[Reconstructed]) -> str:
    if not recordings:
        return ""
    channels = sum(len(r.audio) * (1 + len(r.results)) for r in recordings)
    parts = []
    for recording in recordings:
        most = MOST_SAMPLES // channels
        audios = {"original": recording.audio} | {method: r.audio for method, r in recording.results.items()}
        audios = {name: audio[:, :most] for name, audio in audios.items()}
        cut = recording.audio.shape[-1] > most
        note = f" The first {most / recording.sample_rate:.1f} s are shown." if cut else ""
        loudest = loudest_db(audios.values())
        figures = "".join(_shown(name, audio, recording, loudest) for name, audio in audios.items())
        facts = f"{recording.sample_rate / 1000:g} kHz, {len(recording.audio)} channel(s).{note}"
        parts.append(
            f'<section class="clip"><h3>{escape(Path(recording.name).name)}</h3><p class="soft">{facts}</p>'
            f'<div class="row">{figures}</div></section>'
        )
    return (
        f'<h2>Spectrograms and sound</h2><p class="soft">kHz over seconds; {colour_key()}, the loudest point of the '
        f"recording and of all that was made of it.</p>{''.join(parts)}"
    )


def _shown(name: str, audio: Tensor, recording: Reconstructed, loudest: float) -> str:
    panel = spectrogram_panel(audio, recording.sample_rate, loudest=loudest)
    said = f"<span>LSD {recording.results[name].figures['lsd']:.2f}</span>" if name in recording.results else ""
    return (
        f"<figure><figcaption>{escape(name)}{said}</figcaption>{picture(panel, f'Spectrogram: {name}')}"
        f"{player(audio, recording.sample_rate)}</figure>"
    )
