"""Vocoders as they are published: files, names and sound.

`published_vocoders.json` was recorded from the packages hifigan-vocoder 0.1.1 (HiFi-GAN's own code), bigvgan 2.4.1 and
vocos 0.1.0: names and shapes of their tensors, and every 97th sample of what they make of `spectrogram`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from mel_networks import GENERATOR, VOCOS, make_vocoder
from vocoder_weights import spectrogram, weights

from saga_sr.codecs.bigvgan import LowPass
from saga_sr.codecs.vocoder import load_vocoder, save_vocoder
from saga_sr.core.errors import WeightsError

RECORDED = json.loads((Path(__file__).parent / "published_vocoders.json").read_text())


def publish(folder: Path, layout: str) -> Path:
    """A vocoder's folder as its authors' code writes it."""
    found = RECORDED[layout]
    state = weights(found["shapes"])
    if layout.startswith("vocos"):
        (folder / "config.yaml").write_text(yaml.safe_dump(found["config"]))
        features = {"feature_extractor.mel_spec.mel_scale.fb": torch.zeros(3), "head.istft.window": torch.zeros(3)}
        torch.save(state | features, folder / "pytorch_model.bin")
    else:
        (folder / "config.json").write_text(json.dumps(found["config"]))
        if layout.startswith("bigvgan"):
            taps = torch.tensor(RECORDED["filter"]).reshape(1, 1, -1)
            places = {name.rpartition(".act.")[0] for name in state if ".act." in name}
            state |= {f"{place}.{part}.filter": taps for place in places for part in ("upsample", "downsample.lowpass")}
        torch.save({"generator": state}, folder / ("bigvgan_generator.pt" if "bigvgan" in layout else "g_02500000"))
    return folder


@pytest.mark.parametrize("layout", ["hifigan1", "hifigan2", "bigvgan", "bigvgan_base", "vocos_center", "vocos_same"])
@torch.no_grad()
def test_it_sounds_as_its_authors_code_does(layout: str, tmp_path: Path) -> None:
    found = RECORDED[layout]
    vocoder = load_vocoder(publish(tmp_path, layout))
    audio = vocoder.network.eval()(spectrogram(vocoder.mel.n_mels, 8))
    expected = torch.tensor(found["audio"])
    assert audio.shape == (1, found["length"]) and expected.std() > 3e-4
    assert torch.allclose(audio[0, ::97], expected, atol=1e-3 * float(expected.std()))


def test_the_filter_is_theirs() -> None:
    assert torch.allclose(LowPass().filter.flatten(), torch.tensor(RECORDED["filter"]), atol=1e-6)


def test_the_spectrogram_is_what_the_configuration_says(tmp_path: Path) -> None:
    make_vocoder(tmp_path / "a", "hifigan")
    mel = load_vocoder(tmp_path / "a").mel
    assert (mel.sample_rate, mel.n_fft, mel.hop_length, mel.n_mels, mel.fmax) == (44_100, 1024, 256, 20, None)
    assert (mel.padding, mel.scale, mel.floor, mel.epsilon) == ("same", "slaney", 1e-5, 1e-9)
    make_vocoder(tmp_path / "b", "vocos")
    mel = load_vocoder(tmp_path / "b").mel
    assert (mel.padding, mel.scale, mel.floor, mel.epsilon) == ("center", "htk", 1e-7, 0)


@pytest.mark.parametrize("layout", ["hifigan", "bigvgan", "vocos"])
@torch.no_grad()
def test_what_is_written_is_read_again(layout: str, tmp_path: Path) -> None:
    make_vocoder(tmp_path / "published", layout)
    first = load_vocoder(tmp_path / "published")
    save_vocoder(first.network, first.config, tmp_path / "again")
    again, mel = load_vocoder(tmp_path / "again"), spectrogram(20, 6)
    assert again.mel == first.mel and torch.equal(again.network(mel), first.network(mel))


def test_a_file_will_do_and_the_last_one_trained_is_taken(tmp_path: Path) -> None:
    network = make_vocoder(tmp_path, "hifigan")
    trained = {name: tensor + 1 for name, tensor in network.state_dict().items()}
    torch.save({"generator": trained}, tmp_path / "g_02600000")
    last = load_vocoder(tmp_path).network.state_dict()
    first = load_vocoder(tmp_path / "g_02500000").network.state_dict()
    assert torch.equal(last["conv_pre.bias"], first["conv_pre.bias"] + 1)


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("code of a stranger",))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "folder": (shutil.rmtree, "There is no vocoder at .*; give the folder"),
    "config": (lambda at: (at / "config.json").unlink(), "holds no configuration of a vocoder.*; give the folder"),
    "text": (lambda at: (at / "config.json").write_text("{'a': ["), "config.json is damaged .*; copy the folder again"),
    "size": (
        lambda at: (at / "config.json").write_text(json.dumps({**GENERATOR, "num_mels": None})),
        "configuration of a vocoder in .* cannot be used .*; give the folder",
    ),
    "key": (
        lambda at: (at / "config.json").write_text(json.dumps({"upsample_rates": [8]})),
        "configuration of a vocoder in .* cannot be used .*; give the folder",
    ),
    "head": (
        lambda at: (at / "config.json").write_text(
            json.dumps({**VOCOS, "head": {"class_path": "vocos.heads.IMDCTCosHead", "init_args": {}}})
        ),
        "cannot be used .*IMDCTCosHead, where .*ISTFTHead can be read.*; give the folder",
    ),
    "weights": (lambda at: (at / "g_02500000").unlink(), "holds no generator's weights .*; give the folder"),
    "another": (
        lambda at: (at / "config.json").write_text(json.dumps({**GENERATOR, "upsample_initial_channel": 32})),
        "not those of a HifiGAN of these sizes .*; give",
    ),
    "tensors": (lambda at: torch.save([1, 2], at / "g_02500000"), "holds more or other than a vocoder's tensors"),
    "code": (
        lambda at: torch.save({"generator": Malicious()}, at / "g_02500000"),
        "holds more than tensors, which could be code",
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_folders_that_cannot_be_read(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_vocoder(tmp_path / "vocoder", "hifigan")
    damage, sentence = DAMAGE[kind]
    damage(tmp_path / "vocoder")
    with pytest.raises(WeightsError, match=sentence) as caught:
        load_vocoder(tmp_path / "vocoder")
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
    assert "stranger" not in capsys.readouterr().out
