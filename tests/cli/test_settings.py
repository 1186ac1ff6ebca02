"""Wrong settings are answered before anything runs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf
from programs import ROOT

from saga_sr.cli import enhance, prepare, train
from saga_sr.cli.calling import Command
from saga_sr.cli.command import OPTIONS, configured, read, sentences
from saga_sr.cli.settings import read_known
from saga_sr.core.errors import SagaError, UsageError


def answer(command: Command, *words: str, sweeps: bool = False) -> str:
    with pytest.raises(UsageError) as error:
        read(command, words, OPTIONS, sweeps)
    return str(error.value)


CODECS = ", ".join(sorted(path.stem for path in (ROOT / "conf" / "codec").glob("*.yaml")))


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        (enhance.COMMAND, ["cutoff_hz=abc"], "cutoff_hz='abc' is not a number; give Hz, or leave it out."),
        (enhance.COMMAND, ["cutoff_hz=[4000,abc]"], "cutoff_hz='abc' is not a number; give Hz, or leave it out."),
        (enhance.COMMAND, ["steps=2.5"], "steps=2.5 is not a whole number; give one, or leave it out."),
        (enhance.COMMAND, ["chunk_s=long"], "chunk_s='long' is not a number; give seconds, or leave it out."),
        (enhance.COMMAND, ["preset=fsat"], "There is no preset=fsat; the nearest is fast, of balanced, best, default"),
        (enhance.COMMAND, ["cutof_hz=3"], "the nearest is cutoff_hz."),
        (enhance.COMMAND, ["steps=4", "sampler.steps=8"], "sampler.steps is given twice"),
        (enhance.COMMAND, ["seed=1,2"], "seed=1,2 gives several values"),
        (prepare.COMMAND, ["degradations=two"], "degradations='two' is not a whole number; give one like 2"),
        (prepare.COMMAND, ["codec=mdtc"], f"There is no codec=mdtc; the nearest is mdct, of {CODECS}."),
        (prepare.COMMAND, ["a", "b", "c"], "3 files are given, but here they stand for data.path and output"),
        (train.COMMAND, ["trainer.max_steps=many"], "trainer.max_steps='many' is not a whole number; give one like"),
        (train.COMMAND, ["optimizer.betas=0.9"], "optimizer.betas=0.9 must be a list; write optimizer.betas=[0.9]."),
        (train.COMMAND, ["backbone.wdith=3"], "There is no setting backbone.wdith; the nearest is backbone.width."),
        (train.COMMAND, ["backbone.qk_norm=maybe"], "backbone.qk_norm='maybe' is not true or false; give one"),
        (train.COMMAND, ["optimizer.betas=[1"], "optimizer.betas=[1 cannot be read; see to its brackets"),
        (train.COMMAND, ["seed=1,2"], "seed=1,2 gives several values"),
        (train.COMMAND, ["codec.path=/a"], "no setting codec.path with codec=mdct; codec=audioldm2_"),
        (train.COMMAND,
         ["objective=v_diffusion", "objective.time=uniform", "objective.min_noise=1", "objective.logit=1"],
         "There are no settings objective.time and objective.min_noise with objective=v_diffusion; objective=velocity "
         "or x_prediction has them."),
    ],
)  # fmt: skip
def test_wrong_settings_are_answered_with_what_is_right(command: Command, words: list[str], said: str) -> None:
    assert said in answer(command, *words)


def test_a_sweep_is_looked_at_value_by_value() -> None:
    read(train.COMMAND, ["seed=1,2", "backbone=jat_tiny,jat_v2", "optimizer.lr=interval(1e-4,1e-3)"], sweeps=True)
    assert "seed='x' is not a whole number" in answer(train.COMMAND, "seed=1,x", sweeps=True)
    assert "no backbone=jat_v" in answer(train.COMMAND, "backbone=jat_tiny,jat_v", sweeps=True)


def test_a_setting_of_another_option_is_named_with_how_to_leave_it_out() -> None:
    config = OmegaConf.create({"model": {"objective": {"_target_": "saga_sr.flow.diffusion.VDiffusion", "time": 0}}})
    with pytest.raises(SagaError) as error, sentences():
        instantiate(config)
    assert str(error.value).startswith("objective.time is set, by the recipe if not by the command, but VDiffusion")
    assert str(error.value).endswith("leave it out (~objective.time), or choose another objective=.")
    config.model.objective.update(prior="noise", min_noise=1)
    with pytest.raises(SagaError) as error, sentences(config):
        instantiate(config)
    assert str(error.value).startswith("objective.time and objective.min_noise are set, by the recipe if not by")
    assert str(error.value).endswith(
        "leave them out (~objective.time ~objective.min_noise), or choose another objective=."
    )


def test_lightnings_settings_take_words_and_null() -> None:
    read(train.COMMAND, ["trainer.devices=auto", "trainer.gradient_clip_val=null", "trainer.val_check_interval=0.5"])


def test_settings_of_the_chosen_options_are_known() -> None:
    request = read(train.COMMAND, ["codec=dac", "codec.path=/a b,[c]", "data=folder", "data.path=[/a,/b]"])
    assert request.overrides == ["codec=dac", "codec.path='/a b,[c]'", "data=folder", "data.path=[/a,/b]"]
    assert "codec.path" in answer(train.COMMAND, "codec.path=/a")


def test_training_takes_folders() -> None:
    assert read(train.COMMAND, ["/music", "seed=1"]).placed == {"data": "folder", "data.path": "/music"}
    assert read(train.COMMAND, ["/a", "/b"]).placed == {"data": "folder", "data.path": ["/a", "/b"]}
    assert read(train.COMMAND, ["data=latents", "/a"]).placed == {"data.path": "/a"}


def test_short_names_of_enhancing_stand_for_the_full_ones(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    words = [
        f"{tmp_path}/a.wav",
        "wishes.mood=2",
        "preset=fast",
        "cutoff_hz=4000",
        "prompt=a dog, [loud] ${x}",
        "model=1",
    ]
    config = configured(enhance.COMMAND, read(enhance.COMMAND, words))
    assert (
        config.enhance.wishes == {"mood": 2}
        and config.enhance.sampler.effort == "fast"
        and config.enhance.cutoff_hz == 4000
    )
    assert config.enhance.prompt == "a dog, [loud] ${x}" and config.model == "1"
    assert config.input == f"{tmp_path}/a.wav" and config.output == "enhanced"


def test_what_files_of_enhancing_stand_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.wav", "b.mp3", "list"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    for files, given, placed in (
        (["a.wav"], set(), {"input": "a.wav"}),
        (["a.wav", "o.wav"], set(), {"input": "a.wav", "output": "o.wav"}),
        (["a.wav", "folder"], set(), {"input": "a.wav", "output": "folder"}),
        (["a.wav", "b.mp3", "new/"], set(), {"input": ["a.wav", "b.mp3"], "output": "new/"}),
        (["a.wav", "b.mp3"], {"output"}, {"input": ["a.wav", "b.mp3"]}),
        (["o.wav"], {"input"}, {"output": "o.wav"}),
        (["-"], set(), {"input": "-", "output": "-"}),
        (["-", "o.wav"], set(), {"input": "-", "output": "o.wav"}),
        (["a.wav", "-"], set(), {"input": "a.wav", "output": "-"}),
        (["*.mp3", "@list", "new/"], set(), {"input": ["*.mp3", "@list"], "output": "new/"}),
    ):
        assert enhance.place(files, given) == placed
    for files, given, said in (
        (["none.wav"], set(), "There is no file or folder none.wav"),
        (["a.wav", "b.mp3", "o.wav"], set(), "say where they go with output=FOLDER"),
        (["a.wav", "restored"], set(), "write restored/ or output=restored"),
        (["a.wav", "b.mp3"], set(), "b.mp3 is there already; say output=b.mp3"),
        (["a.wav"], {"input", "output"}, "both given"),
        (["-", "a.wav", "folder"], set(), "A pipe (-) is one recording"),
        (["@none", "folder"], set(), "There is no list none, which @none stands for."),
        (["*.ogg", "folder"], set(), "There is no file or folder *.ogg"),
        (["a.wav", "b.*"], set(), "b.* stands for recordings; say where they go"),
    ):
        with pytest.raises(UsageError) as error:
            enhance.place(files, given)
        assert said in str(error.value)


def test_threads_compose_at_once() -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda seed: read_known("train", [f"seed={seed}"]).config.seed, range(8)))
    assert found == [*range(8)]
