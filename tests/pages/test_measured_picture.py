from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from PIL import Image

from saga_sr.audio.edges import Edge
from saga_sr.pages.measured_picture import EDGE_COLOUR, write_picture


def picture(path: Path, edges: list[list[Edge]], level_db: float = -40.0, title: str = "a.wav") -> np.ndarray:
    spectrogram = torch.full((len(edges), 200, 1025), -200.0)
    spectrogram[:, :, :200] = level_db
    write_picture(path, title, spectrogram, edges, ["left", "right"], 22_050)
    return np.asarray(Image.open(path).convert("RGB")) / 255


def line(image: np.ndarray) -> np.ndarray:
    """Where a picture has the line of an edge: rows and columns."""
    return np.argwhere(np.abs(image - to_rgb(EDGE_COLOUR)).max(axis=-1) < 0.1)


def test_the_line_stands_at_its_frequency_and_time(tmp_path: Path) -> None:
    ends = [[Edge(0, 6, 4000), Edge(6, 10, 16_000)]]
    image = picture(tmp_path / "a.png", ends)
    flat = picture(tmp_path / "b.png", [[Edge(0, 10, 22_050)]])
    # The panel, by its dark top and its bright bottom.
    height, width = image.shape[:2]
    left, right = 0.075 * width, width - 1.05 * 120
    top, bottom = 0.6 * 120, height - 0.55 * 120
    rows, columns = line(image).T
    for share, hz in ((0.15, 4000), (0.9, 16_000)):
        here = rows[np.abs(columns - (left + share * (right - left))) < 2]
        here = here[here > top]
        assert here.mean() == pytest.approx(bottom - hz / 22_050 * (bottom - top), abs=4)
    change = columns[np.abs(rows - (bottom - 10_000 / 22_050 * (bottom - top))) < 3]
    assert change.mean() == pytest.approx(left + 0.6 * (right - left), abs=4)
    # A full band has none; what is left is the key's.
    assert (line(flat)[:, 0] < top).all()


def test_each_channel_has_a_panel(tmp_path: Path) -> None:
    one = picture(tmp_path / "a.png", [[Edge(0, 10, 4000)]])
    two = picture(tmp_path / "b.png", [[Edge(0, 10, 4000)], [Edge(0, 10, 16_000)]])
    assert two.shape[0] > 1.6 * one.shape[0] and len({*line(two)[:, 0]}) > len({*line(one)[:, 0]})


def test_silence_is_dark(tmp_path: Path) -> None:
    image = picture(tmp_path / "a.png", [[Edge(0, 10, 22_050)]], level_db=-200.0)
    assert np.median(image[100:-100, 200:800]) < 0.05


@pytest.mark.parametrize("name", ["cost $5_^{x} a.wav", os.fsdecode(b"not \xff text.wav")])
def test_any_name_can_be_its_title(tmp_path: Path, name: str) -> None:
    assert picture(tmp_path / "sub" / "a.png", [[Edge(0, 4000, 4000)]], title=name).ndim == 3
