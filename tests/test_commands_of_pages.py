"""The commands and programs in README and docs run, each page from its top to its bottom, with small settings.

A block with a title is a file, which is there before anything runs. What cannot run here says so above itself:
`<!-- composes: why -->` (its settings are composed all the same) or `<!-- parsed: why -->` (only its words are looked
at).
"""

from __future__ import annotations

import ast
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile
from conftest import QUICK
from films import write_film
from media import encoded
from programs import ROOT, changed, program

from saga_sr.cli.command import OPTIONS, read
from saga_sr.cli.main import VERBS
from saga_sr.cli.train import COMMAND as TRAIN
from saga_sr.cli.train import HYDRA_OPTIONS

pytestmark = pytest.mark.slow
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"(?m)(?:^<!-- (composes|parsed): ([^\n]+) -->\n)?^```(bash|python)\n(.*?)^```$", re.DOTALL)
FILE = re.compile(r'(?m)^```\w+ title="([^"\n]+)"\n(.*?)^```$', re.DOTALL)
ASSIGNMENT = re.compile(r"([A-Z_]+)=(.*)")
MINE = "outputs/mine"
RATE = 44_100
# What is made small, by verb.
SMALL = {
    "evaluate": ["clips=1", "seconds=0.5", "examples=1", "cutoffs_hz=[4000]", "enhance.sampler.steps=1"],
    "prepare": ["num_samples=16384", "codec.latent_dim=64", "shard_mb=1"],
    "reconstruct": ["examples=1"],
    "doctor": ["self_test=false"],
}
# Programs of others that pages name, all of them in blocks that are only parsed.
OTHERS = {"pip", "make", "hf", "torchrun", "ray", "nox"}


class Block(NamedTuple):
    """A piece of code in a page; `mark` is how far it can be tried, if not wholly."""

    page: Path
    mark: str
    language: str
    code: str


def blocks(page: Path) -> list[Block]:
    found = [Block(page, mark, language, code) for mark, _, language, code in BLOCK.findall(page.read_text())]
    assert len(found) == page.read_text().count("```bash\n") + page.read_text().count("```python\n"), page
    return found


def commands(block: Block) -> Iterator[tuple[dict[str, str], list[str]]]:
    """The variables and the words of each command of a block, without comments."""
    for line in block.code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        variables = {}
        while words and (assigned := ASSIGNMENT.fullmatch(words[0])):
            variables[assigned[1]] = assigned[2]
            words = words[1:]
        if words:
            yield variables, words


def small(words: list[str]) -> list[str]:
    """The words after `saga-sr` with settings that take a moment."""
    verb, *rest = words
    if verb == "enhance":
        return [verb, *(word for word in rest if not word.startswith("jobs="))]
    if verb != "train":
        return [verb, *changed(rest, *SMALL.get(verb, []))]
    settings = [one for one in QUICK if "pool" not in one or not any(word.startswith("data=") for word in rest)]
    if "data=latents" in rest:
        settings = [one for one in settings if not one.startswith(("data.epoch_size", "data.validation_size"))]
    if not any(word.startswith("experiment=") for word in rest):
        settings = [one for one in settings if not one.startswith("backbone")]
    one_seed = ["seed=1"] if "-m" in rest else []
    settings += ["debug=limit", "trainer.max_steps=4", "trainer.val_check_interval=2", *one_seed]
    return [verb, *changed(rest, *settings)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pages take for granted: recordings by the names that they use, and a run."""
    folder = tmp_path_factory.mktemp("pages") / "place"
    noise = np.random.default_rng(0)
    for i, name in enumerate(
        ["music/a.flac", "music/b.flac", "music/c.wav", "held-out/d.flac", "held-out/e.flac", "tapes/call.flac",
         "tapes/deep/x.wav"]
    ):  # fmt: skip
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * noise.standard_normal((RATE, 1 + i % 2)), RATE)
    tone = (0.1 * noise.standard_normal((1, RATE // 2))).astype(np.float32)
    (folder / "song.mp3").write_bytes(encoded(tone, RATE, "mp3"))
    write_film(folder / "film.mp4")
    (folder / "more.txt").write_text("held-out/d.flac\n")
    run = f"hydra.run.dir={folder / MINE}"
    done = program("-m", "saga_sr", *small(["train", "experiment=demo", run]), cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_pages_name_only_what_there_is() -> None:
    extras = {*re.findall(r"(?m)^(\w+) = \[", (ROOT / "pyproject.toml").read_text())}
    targets = re.findall(r"(?m)^([\w-]+):", (ROOT / "Makefile").read_text())
    for page in PAGES:
        text = page.read_text()
        assert {*re.findall(r"saga-sr\[(\w+)\]", text)} <= extras, page
        assert {*re.findall(r"(?m)^make ([\w-]+)", text)} <= {*targets}, page
        for block in blocks(page):
            if block.language == "python":
                ast.parse(block.code)
                continue
            for _, words in commands(block):
                assert words[0] in ("saga-sr", *(OTHERS if block.mark else ())), (page, words)
                assert words[0] != "saga-sr" or words[1] in VERBS, (page, words)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.stem)
def test_a_page_runs_from_its_top_to_its_bottom(
    page: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    trains = f"hydra.run.dir={MINE}" in page.read_text()
    shutil.copytree(place, here, ignore=shutil.ignore_patterns("outputs") if trains else None)
    monkeypatch.chdir(here)
    for name, content in FILE.findall(page.read_text()):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(content)
    programs = [block.code for block in blocks(page) if block.language == "python" and not block.mark]
    for block in blocks(page):
        if block.language == "bash" and block.mark != "parsed":
            for variables, words in commands(block):
                if words[0] == "saga-sr":
                    with monkeypatch.context() as environment:
                        for name, value in variables.items():
                            environment.setenv(name, value)
                        (composes if block.mark else runs)(words[1:], here)
    if programs:
        (tmp_path / "page.py").write_text("\n".join(programs))
        done = program(str(tmp_path / "page.py"), cwd=here)
        assert done.returncode == 0, done.stderr


def runs(words: list[str], here: Path) -> None:
    """Do it, with small settings; names of files stand for what they match, as in a shell."""
    expanded = [
        name
        for word in small(words)
        for name in (sorted(map(str, Path().glob(word))) if "*" in word and "**" not in word else [word])
    ]
    done = program("-m", "saga_sr", *expanded, cwd=here)
    assert done.returncode == 0, (words, done.stderr[-2000:])


def composes(words: list[str], here: Path) -> None:
    """See that there are such settings, and that they have such values."""
    if words[0] == "train":
        read(TRAIN, words[1:], {**OPTIONS, **HYDRA_OPTIONS}, sweeps="-m" in words)
        return
    first = [re.sub(r"^(experiment=\w+),.*", r"\1", word) for word in words]
    done = program("-m", "saga_sr", *first, "--cfg", "job", cwd=here)
    assert done.returncode == 0, (words, done.stderr[-2000:])
