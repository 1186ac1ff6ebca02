from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from conftest import TINY_SAGA, awake, model_config
from programs import program
from text_encoder import make_text_encoder

import saga_sr
from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.audio.edges import content_edge_hz
from saga_sr.audio.resample import resample
from saga_sr.audio.spectrum import stft
from saga_sr.core.errors import AudioError, Cancelled, ConfigError
from saga_sr.inference.enhancer import Enhancer
from saga_sr.packages.package import build, load_package

RATE = 44_100


@pytest.fixture(scope="module")
def enhancer(package: Path) -> Enhancer:
    return Enhancer(load_package(package))


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def high_level_db(audio: torch.Tensor, cutoff_hz: float) -> float:
    """The mean power above 1.25 x the cutoff."""
    return float(10 * torch.log10(stft(audio)[..., int(1.25 * cutoff_hz / RATE * 2048) :, :].abs().square().mean()))


@pytest.mark.parametrize("shape", [(2, 1, 20_000), (1, 2, 10_001), (1, 5, 3000)])
def test_shape_is_kept_the_low_band_is_the_inputs_and_the_high_band_is_new(enhancer: Enhancer, shape: tuple) -> None:
    lr = degrade(noise(*shape), [LowPassFilter("chebyshev1", 8, 6000)] * shape[0], RATE)
    output, rate = enhancer(lr, RATE, cutoff_hz=6000)
    assert output.shape == lr.shape and rate == RATE
    low = int(5200 / RATE * 2048)
    change = (stft(output) - stft(lr)).abs().square()
    base = stft(lr).abs().square()
    assert change[..., :low, :].sum() / base[..., :low, :].sum() < 1e-3
    assert change[..., low + 60 :, :].sum() > 2 * base[..., low + 60 :, :].sum()


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int32", "int16", "int8", "uint8"])
@pytest.mark.parametrize("shape", [(4000,), (2, 4000), (3, 2, 4000)])
def test_the_same_kind_comes_back(enhancer: Enhancer, dtype: str, shape: tuple[int, ...]) -> None:
    floats = noise(*shape).numpy()
    if "int" in dtype:
        limits = np.iinfo(dtype)
        array = (
            (floats * 2.0 ** (limits.bits - 1) + 128 * (dtype == "uint8"))
            .round()
            .clip(limits.min, limits.max)
            .astype(dtype)
        )
    else:
        array = floats.astype(dtype)
    output, rate = enhancer(array, 22_050, cutoff_hz=5000)
    tensor, _ = enhancer(torch.from_numpy(array), 22_050, cutoff_hz=5000)
    assert isinstance(output, np.ndarray) and isinstance(tensor, torch.Tensor) and rate == RATE
    assert output.dtype == array.dtype and output.shape == (*shape[:-1], 8000)
    assert np.array_equal(output, tensor.numpy())
    exact, _ = enhancer(torch.from_numpy(floats), 22_050, cutoff_hz=5000)
    scale = 1.0 if "int" not in dtype else 2.0 ** (np.iinfo(dtype).bits - 1)
    offset = 128 if dtype == "uint8" else 0
    # What the rounding of an 8 bit input does to companded coefficients is large where they are small.
    error = np.abs((output.astype("float64") - offset) / scale - exact.numpy()).mean()
    assert error < (2e-2 if dtype in ("int8", "uint8") else 2e-3)


def test_the_recordings_of_a_batch_are_restored_as_each_is_alone(enhancer: Enhancer) -> None:
    batch = torch.stack([degrade(noise(1, 2, 9000, seed=i), [LowPassFilter("chebyshev1", 8, hz)], RATE)[0]
                         for i, hz in enumerate((3000, 6000, 21_000))])  # fmt: skip
    together, _ = enhancer(batch, RATE)
    for clip, restored in zip(batch, together, strict=True):
        assert torch.equal(enhancer(clip, RATE)[0], restored)


@pytest.mark.parametrize(("rate", "length"), [(RATE, 1), (8000, 1), (8000, 7), (96_000, 5), (11_025, 3001)])
def test_length_is_that_of_the_input_at_the_models_rate(enhancer: Enhancer, rate: int, length: int) -> None:
    output, _ = enhancer(noise(length), rate, cutoff_hz=3000)
    assert output.shape == (-(-length * RATE // rate),) and output.isfinite().all()


def test_what_lies_above_the_edge_is_cut_off_and_a_full_band_is_kept(enhancer: Enhancer) -> None:
    """A recording with dither is restored as one without it, its edge measured or given."""
    clean = degrade(noise(1, 1, 30_000), [LowPassFilter("chebyshev1", 8, 6000)], RATE)
    dusty = clean + 1e-4 * noise(1, 1, 30_000, seed=1)
    edge = content_edge_hz(dusty[0], RATE)
    measured, given = enhancer(dusty, RATE)[0], enhancer(dusty, RATE, cutoff_hz=edge)[0]
    assert torch.equal(measured, given)
    expected = enhancer(clean, RATE, cutoff_hz=edge)[0]
    assert high_level_db(measured, edge) == pytest.approx(high_level_db(expected, edge), abs=1)
    full = noise(30_000)
    assert torch.equal(enhancer(full, RATE)[0], full)


def test_white_noise_above_a_given_cutoff_is_replaced(enhancer: Enhancer) -> None:
    """The old ways differed by 25 dB here: what is there above the cutoff must not come through."""
    audio = noise(1, 30_000)
    one = enhancer(audio, RATE, cutoff_hz=4000)[0]
    other = enhancer(degrade(audio[None], [LowPassFilter("chebyshev1", 8, 4000)], RATE)[0], RATE, cutoff_hz=4000)[0]
    assert high_level_db(one, 4000) == pytest.approx(high_level_db(other, 4000), abs=1)


def test_settings_by_short_and_full_names_and_presets(enhancer: Enhancer) -> None:
    audio = noise(1, 6000)
    steps = enhancer(audio, RATE, cutoff_hz=5000, steps=4)[0]
    assert torch.equal(steps, enhancer(audio, RATE, cutoff_hz=5000, **{"sampler.steps": 4})[0])
    assert torch.equal(steps, enhancer(audio, RATE, cutoff_hz=5000, preset="fast")[0])
    assert not torch.equal(steps, enhancer(audio, RATE, cutoff_hz=5000, preset="fast", steps=2)[0])
    # As many as the solver needs.
    one = enhancer(audio, RATE, cutoff_hz=5000, solver="gaussian", steps=1)[0]
    assert torch.equal(one, enhancer(audio, RATE, cutoff_hz=5000, solver="gaussian", preset="fast")[0])
    assert enhancer.settings.sampler.steps is None
    for changes, message in (
        ({"stpes": 4}, "did you mean 'steps'"),
        ({"preset": "quick"}, "balanced, best, default, fast"),
        ({"cutoff_hz": "abc"}, "cutoff_hz='abc' is not possible"),
        ({"steps": 0}, "at least 1 step"),
        ({"effort": "some"}, "fast, balanced, best"),
        ({"solver": "rk4"}, "choose one of euler, .*midpoint, heun"),
        ({"low_band": "soft"}, "crossfade, hard"),
        ({"text": 2.0}, "not a scale of ClassifierFree"),
        ({"prompt": "a dog"}, "trained without text"),
    ):
        with pytest.raises(ConfigError, match=message):
            enhancer(audio, RATE, **{"cutoff_hz": 5000, **changes})


@pytest.mark.parametrize(
    ("audio", "rate", "message"),
    [
        (np.zeros(0), RATE, "empty"),
        (np.zeros((2, 0)), RATE, "empty"),
        (np.zeros((1, 1, 1, 9)), RATE, r"shape \[1, 1, 1, 9\]"),
        (np.float32(0.5), RATE, "float32; give a NumPy array"),
        ([0.1, 0.2], RATE, "a list; give a NumPy array"),
        (np.array(["a"]), RATE, "no number of audio"),
        (np.zeros(9, dtype=complex), RATE, "complex"),
        (np.zeros(9, dtype=bool), RATE, "bool"),
        (np.array([0.0, np.nan]), RATE, "channel 1 at 0:00:00.000, sample number 1"),
        (np.array([[0.0], [np.inf]]), RATE, "channel 2 at 0:00:00.000, sample number 0"),
        (np.zeros(9), 0, "sample_rate=0"),
        (np.zeros(9), 44.1, "sample_rate=44.1"),
        (np.zeros(9), "44100", "sample_rate=44100"),
    ],
)
def test_audio_that_cannot_be_used_is_answered_in_one_sentence(
    enhancer: Enhancer, audio: Any, rate: Any, message: str
) -> None:
    with pytest.raises(AudioError, match=message):
        enhancer(audio, rate)


@pytest.mark.parametrize("rate", [RATE, 16_000])
def test_a_stream_gives_what_the_whole_gives_however_it_is_cut(enhancer: Enhancer, rate: int) -> None:
    """But for its frame, which is that of the first chunk."""
    audio = degrade(noise(1, 2, 5 * rate), [LowPassFilter("chebyshev1", 8, 3000)], rate)[0]
    settings: dict[str, Any] = {"cutoff_hz": 3000, "chunk_s": 1.0, "overlap_s": 0.2}
    results = []
    for seed in (0, 1):
        places = np.sort(np.random.default_rng(seed).integers(0, audio.shape[1], 40))
        stream = enhancer.stream(iter(np.split(audio.numpy(), places, axis=1)), rate, **settings)
        blocks = list(stream)
        assert all(isinstance(block, np.ndarray) for block in blocks) and stream.sample_rate == RATE
        assert len(blocks) >= 3 and 1.5 <= stream.delay_s < 1.7
        results.append(torch.from_numpy(np.concatenate(blocks, axis=1)))
    assert torch.allclose(*results, atol=1e-5)
    whole = enhancer(audio, rate, **settings)[0]
    assert results[0].shape == whole.shape
    assert high_level_db(results[0], 3000) == pytest.approx(high_level_db(whole, 3000), abs=0.5)
    low = int(2400 / RATE * 2048)
    change, base = (stft(x)[:, :low, 4:-4].abs().square().sum() for x in (results[0] - whole, whole))
    assert change < 1e-4 * base


def test_a_streams_delay_is_as_stated_and_its_memory_bounded(enhancer: Enhancer) -> None:
    came, heard = [], []

    def blocks():
        for i in range(60):
            came.append(i)
            yield noise(4410, seed=i)
            assert 0.1 * len(came) - sum(heard) / RATE <= stream.delay_s + 0.1

    stream = enhancer.stream(blocks(), RATE, chunk_s=0.5, overlap_s=0.1)
    for block in stream:
        heard.append(block.shape[-1])
    assert sum(heard) == 60 * 4410 and block.ndim == 1
    with pytest.raises(AudioError, match="where the first had 1 channel"):
        list(enhancer.stream([noise(9), noise(2, 9)], RATE))
    assert list(enhancer.stream([], RATE)) == []


def test_progress_is_told_and_a_token_stops(enhancer: Enhancer, tmp_path: Path) -> None:
    audio, told, token = noise(2, 3 * RATE), [], threading.Event()
    settings: dict[str, Any] = {"chunk_s": 1.0, "overlap_s": 0.1, "cutoff_hz": 5000}
    enhancer(audio, RATE, progress=lambda done, total: told.append((done, total)), **settings)
    assert len(told) == 4 and told[-1] == (3.0, 3.0) and [done for done, _ in told] == sorted(done for done, _ in told)

    def stop(done: float, total: float) -> None:
        token.set()

    with pytest.raises(Cancelled, match="was cancelled after"):
        enhancer(audio, RATE, progress=stop, cancel=token, **settings)
    soundfile.write(tmp_path / "in.wav", audio.T.numpy(), RATE)
    with pytest.raises(Cancelled):
        enhancer.file(tmp_path / "in.wav", tmp_path / "out.wav", cancel=token, **settings)
    assert [path.name for path in tmp_path.iterdir()] == ["in.wav"]


def test_a_folder(enhancer: Enhancer, tmp_path: Path) -> None:
    (tmp_path / "in/deep").mkdir(parents=True)
    for name in ("a.wav", "deep/b.wav"):
        soundfile.write(tmp_path / "in" / name, noise(4000).numpy(), 16_000)
    done = enhancer.folder(tmp_path / "in", tmp_path / "out", format="wav")
    assert len(done) == 2 and all(entry.restored for entry in done.values())
    assert sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.wav")) == [
        "a.wav",
        "deep/b.wav",
    ]


@pytest.mark.slow
def test_an_array_a_file_and_the_command_give_the_same_samples(package: Path, tmp_path: Path) -> None:
    """Bit for bit."""
    rate = 16_000
    audio = resample(degrade(noise(1, 2, 3 * RATE), [LowPassFilter("chebyshev1", 8, 7000)], RATE)[0], RATE, rate)
    soundfile.write(tmp_path / "in.wav", audio.T.numpy(), rate, subtype="FLOAT")
    settings = {"chunk_s": 1.0, "overlap_s": 0.2, "seed": 3, "steps": 3}
    words = [f"{name}={value}" for name, value in settings.items()]
    done = program(
        "infer.py", f"model={package}", f"input={tmp_path}/in.wav", f"output={tmp_path}/command.wav", "device=cpu",
        *words,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the command has
    try:
        enhancer = saga_sr.load(package, device="cpu")
        enhancer.file(tmp_path / "in.wav", tmp_path / "file.wav", **settings)
        array, _ = enhancer(audio, rate, **settings)
    finally:
        torch.set_num_threads(threads)
    assert (tmp_path / "file.wav").read_bytes() == (tmp_path / "command.wav").read_bytes()
    assert np.array_equal(soundfile.read(tmp_path / "file.wav", dtype="float32")[0].T, array.numpy())


def test_prompt_and_rolloff_change_the_output_and_each_clip_has_its_own(tmp_path: Path) -> None:
    text = make_text_encoder(tmp_path / "text")
    settings = ["conditioning=text_rolloff", f"text_encoder={text}", "guidance=nested"]
    saga = Enhancer(awake(build(model_config(*settings, tiny=TINY_SAGA))))
    lr, cutoff = noise(2, 1, 9000), torch.tensor([4000.0, 4000.0])
    plain = saga.clips(lr, cutoff)
    described = saga.clips(lr, cutoff, ["", "a barking dog"])
    assert torch.allclose(described[0], plain[0], atol=1e-3)
    assert (described[1] - plain[1]).abs().max() > 5e-5
    darker, _ = saga(lr, RATE, cutoff_hz=4000, rolloff=0.3)
    assert (darker - plain).abs().amax() > 5e-5
