from __future__ import annotations

import gc
import json
import re
import sys
from pathlib import Path

import pytest
from conftest import model_config
from programs import program

import saga_sr
from saga_sr.core.config import cause
from saga_sr.core.errors import ExtraError
from saga_sr.core.imports import EXTRAS, NEEDED, extras_named, importing, missing_extra

# An installation without extras: their modules, and those that only tests need, are not there. Then each command.
LEAN = """
import json, sys
for module in json.loads(sys.argv[1]):
    sys.modules[module] = None
commands = json.loads(sys.argv[2])
from saga_sr.cli.main import main
for words in commands:
    print(f"{words[0]}: ", end="", file=sys.stderr, flush=True)
    try:
        main(words)
    except SystemExit as end:
        print(end.code if isinstance(end.code, str) else "", file=sys.stderr)
"""
NOT_CORE = [*EXTRAS, "torchaudio", "torchmetrics", "scipy", "pytest"]


def lean(*commands: list[str]) -> str:
    """What the `commands` say on stderr where only the core is installed."""
    return program("-c", LEAN, json.dumps(NOT_CORE), json.dumps(commands), fresh=True).stderr


def test_a_missing_module_of_an_extra_is_answered_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "litdata", None)
    said = r"^litdata is not installed; this needs pip install 'saga-sr\[train\]'\.$"
    with pytest.raises(ExtraError, match=said), extras_named():
        import litdata.streaming  # noqa: F401


def test_other_missing_modules_are_bugs() -> None:
    with pytest.raises(ModuleNotFoundError, match="nowhere"), extras_named():
        import nowhere  # noqa: F401
    assert missing_extra(ValueError("transformers")) is None


def test_the_missing_module_is_named_behind_the_errors_of_others() -> None:
    outer = RuntimeError("Error in call to target")
    outer.__cause__ = ModuleNotFoundError("No module named 'diffusers'", name="diffusers")
    assert "'saga-sr[saga]'" in cause(outer)


def test_every_extra_that_is_named_is_declared() -> None:
    declared = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    for module, extra in EXTRAS.items():
        line = declared[declared.index(f"\n{extra} = [") :]
        assert {"PIL": "pillow", "upath": "universal_pathlib"}.get(module, module) in line[: line.index("]")], module


def test_a_package_that_all_need_is_named_with_what_installs_it() -> None:
    text = (
        (Path(__file__).parents[2] / "pyproject.toml")
        .read_text()
        .partition("\ndependencies = [")[2]
        .partition("\n]")[0]
    )
    assert {*NEEDED.values()} == {name.replace("_", "-") for name in re.findall(r'"([\w-]+)', text)}
    said = missing_extra(ModuleNotFoundError(name="hydra.core"))
    assert str(said).startswith("hydra is not installed, without which nothing goes; pip install hydra-core, ")


def test_a_model_that_needs_an_extra_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    (tmp_path / "assets" / "codec").mkdir(parents=True)
    (tmp_path / "model.safetensors").touch()
    config = {**model_config(), "codec": {"_target_": "saga_sr.codecs.dac.DAC", "path": "assets/codec"}}
    (tmp_path / "config.yaml").write_text(json.dumps({"saga_sr": "0.1.0", "model": config}))
    with pytest.raises(ExtraError, match=r"'saga-sr\[saga\]'"):
        saga_sr.load(tmp_path)


def test_what_is_imported_is_not_searched_for_garbage() -> None:
    before = gc.get_freeze_count()
    try:
        with importing():
            assert not gc.isenabled()
            kept = [[] for _ in range(100)]
        assert gc.isenabled() and gc.get_freeze_count() >= before + len(kept)
    finally:
        gc.unfreeze()


@pytest.mark.slow
def test_verbs_that_need_an_extra_name_it(tmp_path: Path) -> None:
    said = lean(
        ["train"],
        ["evaluate", f"model={tmp_path}"],
        ["prepare", f"data.path={tmp_path}", f"output={tmp_path}/out"],
        ["caption", f"data.path={tmp_path}", f"model={tmp_path}", f"output={tmp_path}/captions.csv"],
        ["compare", str(tmp_path)],
        ["reconstruct", "codecs=mdct", str(tmp_path)],
        ["app", "open=false"],
        ["enhance", "s3://bucket/in.wav", "out.wav"],
    )
    extras = {"train": "train", "evaluate": "train", "prepare": "train", "caption": "saga", "compare": "train"}
    extras |= {"reconstruct": "train", "app": "app", "enhance": "s3"}
    for verb, extra in extras.items():
        assert f"{verb}: error: " in said and "Traceback" not in said, said
        (line,) = [line for line in said.splitlines() if line.startswith(f"{verb}: ")]
        assert line.endswith(f"this needs pip install 'saga-sr[{extra}]'."), line


@pytest.mark.slow
def test_a_missing_launcher_is_answered_with_the_extra_of_sweeps() -> None:
    done = program("train.py", "-m", "seed=1,2", "hydra/launcher=nowhere")
    assert done.returncode != 0 and "pip install 'saga-sr[sweep]'" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_enhancing_needs_the_core_alone(package: Path, tmp_path: Path) -> None:
    import torch

    from saga_sr.files.writing import write_audio

    write_audio(tmp_path / "in.wav", torch.randn(1, 20_000).mul(0.1), 48_000)
    said = lean(["enhance", f"model={package}", f"input={tmp_path}/in.wav", f"output={tmp_path}/out.wav"])
    assert (tmp_path / "out.wav").is_file(), said
