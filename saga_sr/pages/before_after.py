"""An enhancement to hear and to see, as a piece of HTML for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from torch import Tensor

from saga_sr.audio.edges import Edge
from saga_sr.audio.resample import resample
from saga_sr.audio.timecode import clock
from saga_sr.pages.page import colour_key, picture, player
from saga_sr.pages.spectrograms import loudest_db, spectrogram_panel

# Of each recording: 23 s of stereo, 45 s of mono, about 6 MB of HTML before and after together. A notebook keeps them.
MOST_SAMPLES = 2_000_000
MOST_CHANNELS = 2
STYLE = (
    ".saga-sr>div{display:flex;flex-wrap:wrap;gap:1em;max-width:64em}.saga-sr figure{flex:1 1 20em;margin:0}"
    ".saga-sr figure img,.saga-sr audio{display:block;width:100%}"
)


def shown_samples(channels: int) -> int:
    """How many samples of a recording of so many channels are shown."""
    return MOST_SAMPLES // min(channels, MOST_CHANNELS)


def before_after(
    before: Tensor, before_hz: int, after: Tensor, after_hz: int, edges: Sequence[Sequence[Edge]], name: str,
    duration_s: float,
) -> str:  # fmt: skip
    """Players and spectrograms of a recording and its result, side by side, at one level and one colour scale.

    The first `shown_samples` of the first two channels are in it. It needs no script and asks nothing of the network.

    Args:
        before: [c, time] at `before_hz`, from its beginning on; `after` at `after_hz`.
        edges: of each channel, where the content of `before` ends.
        name: what it is called, as text.
        duration_s: of the whole.
    """
    channels = min(len(after), MOST_CHANNELS)
    most_s = shown_samples(channels) / after_hz
    after = after[:channels, : int(most_s * after_hz)]
    before = resample(before[:channels, : int(most_s * before_hz)], before_hz, after_hz)[:, : after.shape[-1]]
    # Beyond full scale both are turned down, so that they stay comparable.
    loudest = max(float(after.abs().max()), float(before.abs().max()), 1.0)
    panels = {"before": before / loudest, "after": after / loudest}
    scale = loudest_db(panels.values())
    every = {edge.hz for channel in edges for edge in channel}
    line = min(every) if len(every) == 1 and min(every) < after_hz / 2 else None
    figures = []
    for title, audio in panels.items():
        drawn = picture(spectrogram_panel(audio, after_hz, line, scale), f"Spectrogram {title}, kHz over seconds")
        figures.append(f"<figure><figcaption>{title}</figcaption>{drawn}{player(audio, after_hz)}</figure>")
    said = [_content(every, after_hz)]
    if after.shape[-1] / after_hz < duration_s - 0.05:
        said.append(f"shown: the first {after.shape[-1] / after_hz:.1f} s of {clock(duration_s)}")
    if len(edges) > channels:
        said.append(f"the first {channels} of {len(edges)} channels")
    return (
        f'<div class="saga-sr"><style>{STYLE}</style><p><b>{escape(name)}</b>: {"; ".join(said)}. {colour_key()}</p>'
        f"<div>{''.join(figures)}</div></div>"
    )


def _content(edges_hz: set[float], sample_rate: int) -> str:
    """Where content ends, in words."""
    missing = sorted({f"{hz / 1000:.1f}" for hz in edges_hz if hz < sample_rate / 2}, key=float)
    if not missing:
        return "nothing was missing"
    between = missing[0] if len(missing) == 1 else f"{missing[0]} to {missing[-1]}"
    return f"content ended at {between} kHz"
