"""Fetch and make the corpus of the bundled model: real full-band audio that Debian packages carry.

python experiments/bundled/corpus.py FOLDER [PACKAGES]

`train.tsv` and `validation.tsv` beside this script name every file that is taken; nothing else of a package is read.
Words and single hits are joined into clips of about ten seconds, all is resampled to 44.1 kHz, and each clip keeps the
edge of the narrowest of its files. What is there already is not made again, so the command goes on where it was ended.

Args:
    FOLDER: gets `packages/`, the clips in `train/` and `validation/` with a table of each, `licences/`
        and a card.
    PACKAGES: a folder of .deb files that were fetched by other means, where there is no apt.
"""

from __future__ import annotations

import csv
import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor
from torch.nn.functional import interpolate, max_pool1d, pad

from saga_sr.audio.resample import resample
from saga_sr.core.atomic_file import write_atomically
from saga_sr.files.reading import AudioReader
from saga_sr.files.writing import write_audio

HERE = Path(__file__).parent
RATE, CLIP_S, JOIN_S = 44_100, 10.0, 0.03
# Half of the speech has whistles of screens and power supplies in it, which last through words and pauses: what stands
# out above here by so much in the quiet third of a clip is brought down to what surrounds it.
WHISTLE_HZ, WHISTLE_DB = 8000.0, 6.0
# How much more often a second is drawn whose content reaches up to here, in kHz: only a fifth of the music does.
WEIGHTS = ((20.0, 4.0), (18.5, 1.0), (0.0, 0.5))
# What part of all that is drawn each kind has: by length, four fifths were music.
SHARES = {"music": 0.45, "speech": 0.3, "sample": 0.25}


@dataclass(frozen=True)
class File:
    """A line of the list."""

    kind: str
    package: str
    path: str
    seconds: float
    edge_khz: float

    @property
    def series(self) -> tuple[str, str, str, str]:
        """What it may be joined with: the same speaker, or instruments of one set."""
        folder, _, name = self.path.rpartition("/")
        language = name.rsplit(".", 1)[0].rsplit("_", 1)[-1] if self.package.startswith("tuxpaint") else ""
        return self.kind, self.package, "" if language else folder, language


def main(folder: Path, packages: Path | None) -> None:
    """Make all clips."""
    lists = {side: read_list(HERE / f"{side}.tsv") for side in ("train", "validation")}
    names = sorted({file.package for files in lists.values() for file in files})
    packages = packages or folder / "packages"
    fetch(names, packages)
    for name in names:
        write_licence(name, packages, folder / "licences")
    for side, files in lists.items():
        clips = list(plan_clips(files))
        for package, mine in groupby(sorted(clips, key=lambda clip: clip[0].package), key=lambda clip: clip[0].package):
            make_clips(list(mine), packages, package, folder / side)
        write_manifest(folder / f"{side}.tsv", clips)
    write_atomically(folder / "README.md", card(lists, packages, folder / "licences"))


def read_list(path: Path) -> list[File]:
    """The files that a list names."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return [
            File(row["kind"], row["package"], row["file"], float(row["seconds"]), float(row["edge_khz"]))
            for row in rows
        ]


def fetch(names: Iterable[str], folder: Path) -> None:
    """Fetch the packages that are not there; apt checks what it fetches."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name in names if not list(folder.glob(f"{name}_*.deb"))]
    if not missing:
        return
    if shutil.which("apt-get") is None:
        sys.exit(f"apt-get is not there; fetch {' '.join(missing)} elsewhere and give their folder as the second word.")
    subprocess.run(["apt-get", "download", *missing], cwd=folder, check=True)


def write_licence(name: str, packages: Path, folder: Path) -> None:
    """Write what the package called `name` says of its licences, if that is not there."""
    if (folder / name).is_file():
        return
    (deb,) = packages.glob(f"{name}_*.deb")
    with TemporaryDirectory() as unpacked:
        contents = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE)
        wanted = f"./usr/share/doc/{name}/copyright"
        subprocess.run(["tar", "-x", "-C", unpacked, wanted], stdin=contents.stdout, check=True)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / name, (Path(unpacked) / wanted).read_text(encoding="utf-8"))


def licences_in(text: str) -> str:
    """The licences that a copyright file names, in the order of their names."""
    named = re.findall(
        r"^License: *(\S+)|\b(L?GPL(?:-[\d.]+)?|GFDL|CC[ -]BY(?:-SA)?(?: [\d.]+)?)\b", text, re.MULTILINE
    )
    return ", ".join(sorted({(field or word).rstrip(",") for field, word in named}))


def plan_clips(files: Iterable[File]) -> Iterator[tuple[File, ...]]:
    """Which files become one clip, the narrow ones apart from the wide ones."""
    for _, series in groupby(
        sorted(files, key=lambda file: (file.series, file.edge_khz)), key=lambda file: file.series
    ):
        clip: list[File] = []
        for file in series:
            clip.append(file)
            if sum(one.seconds for one in clip) >= CLIP_S:
                yield tuple(clip)
                clip = []
        if clip:
            yield tuple(clip)


def clip_name(clip: tuple[File, ...]) -> str:
    """A name that says what is in it."""
    listed = "\n".join(file.path for file in clip)
    return f"{clip[0].kind}/{clip[0].package}_{hashlib.sha256(listed.encode()).hexdigest()[:12]}.flac"


def make_clips(clips: list[tuple[File, ...]], packages: Path, package: str, folder: Path) -> None:
    """Write the clips of one package that are not there."""
    missing = [clip for clip in clips if not (folder / clip_name(clip)).is_file()]
    if not missing:
        return
    with TemporaryDirectory() as unpacked:
        (deb,) = packages.glob(f"{package}_*.deb")
        subprocess.run(["dpkg-deb", "-x", str(deb), unpacked], check=True)
        for clip in missing:
            audio = joined([loaded(Path(unpacked), file) for file in clip])
            if clip[0].kind == "speech":
                audio = without_whistles(audio)
            target = folder / clip_name(clip)
            target.parent.mkdir(parents=True, exist_ok=True)
            write_audio(target, audio / max(1.0, float(audio.abs().max())), RATE)
    print(f"{package}: {len(missing)} clips", flush=True)


def loaded(unpacked: Path, file: File) -> Tensor:
    """A file [c, time] at 44.1 kHz, as loud as it is."""
    outer, _, inner = file.path.partition("::")
    path = unpacked / outer
    if inner:
        with zipfile.ZipFile(path) as archive, TemporaryDirectory() as folder:
            audio, rate = read_whole(Path(archive.extract(inner, folder)))
    else:
        audio, rate = read_whole(path)
    return resample(audio, rate, RATE)


def read_whole(path: Path) -> tuple[Tensor, int]:
    """A file [c, time] and its rate; some headers promise a little more than there is."""
    with AudioReader(path, flawless=False) as reader:
        return reader.read(0, reader.info.frames), reader.info.sample_rate


def without_whistles(audio: Tensor) -> Tensor:
    """Speech [c, time] at 44.1 kHz without lines that last."""
    n, around = 4096, 40
    if audio.shape[1] < 8 * n:
        return audio
    frames = audio.mean(dim=0).unfold(0, n, n // 2) * torch.hann_window(n)
    quiet = 10 * (torch.fft.rfft(frames).abs().square() + 1e-12).log10().quantile(0.3, dim=0)
    neighbours = pad(quiet[None], (around, around), mode="reflect")[0].unfold(0, 2 * around + 1, 1)
    excess = (quiet - neighbours.median(dim=1).values).clamp(min=0)
    excess[(torch.arange(len(excess)) * RATE / n < WHISTLE_HZ) | (excess < WHISTLE_DB)] = 0
    excess = max_pool1d(excess[None], 5, 1, 2)[0]  # a line's skirts, too
    fine = interpolate(excess[None, None], audio.shape[1] // 2 + 1, mode="linear", align_corners=True)[0, 0]
    return torch.fft.irfft(torch.fft.rfft(audio) * 10 ** (-fine / 20), audio.shape[1])


def joined(pieces: list[Tensor]) -> Tensor:
    """Pieces after one another, each faded in and out so that joins do not click."""
    channels, fade = max(len(piece) for piece in pieces), round(JOIN_S * RATE)
    ramp = torch.sin(torch.linspace(0, torch.pi / 2, fade)) ** 2
    faded = []
    for piece in pieces:
        piece = piece.expand(channels, -1).clone()
        if len(pieces) > 1 and piece.shape[1] > 2 * fade:
            piece[:, -fade:] *= ramp.flip(0)
        faded.append(piece)
    return torch.cat(faded, dim=1)


def write_manifest(path: Path, clips: list[tuple[File, ...]]) -> None:
    """A table of the clips: how often each second is drawn, and where its content ends."""
    edges = [min(file.edge_khz for file in clip) for clip in clips]
    weights = [next(weight for above, weight in WEIGHTS if edge >= above) for edge in edges]
    drawn = dict.fromkeys(SHARES, 0.0)
    for clip, weight in zip(clips, weights, strict=True):
        drawn[clip[0].kind] += weight * sum(file.seconds for file in clip)
    lines = ["path\tweight\tedge_hz"]
    for clip, edge, weight in zip(clips, edges, weights, strict=True):
        share = 1e4 * SHARES[clip[0].kind] / drawn[clip[0].kind]
        lines.append(f"{path.stem}/{clip_name(clip)}\t{share * weight:.4g}\t{1000 * min(edge, RATE / 2000):.0f}")
    write_atomically(path, "\n".join(lines) + "\n")


def card(lists: dict[str, list[File]], packages: Path, licences: Path) -> str:
    """Hours by kind and package, and the packages as they were fetched."""
    lines = ["# Corpus", "", "| side | kind | package | files | minutes |", "|---|---|---|---|---|"]
    for side, files in lists.items():
        order = sorted(files, key=lambda file: (file.kind, file.package))
        for (kind, package), mine in groupby(order, key=lambda file: (file.kind, file.package)):
            heard = list(mine)
            minutes = sum(file.seconds for file in heard) / 60
            lines.append(f"| {side} | {kind} | {package} | {len(heard)} | {minutes:.1f} |")
    lines += ["", "| package | licences that its copyright file names (`licences/`) |", "|---|---|"]
    for licence in sorted(licences.iterdir()):
        lines.append(f"| {licence.name} | {licences_in(licence.read_text(encoding='utf-8'))} |")
    lines += ["", "```"]
    for deb in sorted(packages.glob("*.deb")):
        lines.append(f"{hashlib.sha256(deb.read_bytes()).hexdigest()}  {deb.name}")
    return "\n".join([*lines, "```", ""])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
