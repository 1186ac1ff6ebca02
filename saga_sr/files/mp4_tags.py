"""The tags of M4A and other MP4 files in the form of `Metadata`."""

from __future__ import annotations

from typing import Any

from mutagen.mp4 import AtomDataType, MP4Cover, MP4FreeForm

from saga_sr.files.metadata import Metadata, Picture

TEXTS = {
    **{"\xa9nam": "TITLE", "\xa9ART": "ARTIST", "\xa9alb": "ALBUM", "aART": "ALBUMARTIST", "\xa9wrt": "COMPOSER"},
    **{"\xa9gen": "GENRE", "\xa9day": "DATE", "\xa9cmt": "COMMENT", "\xa9lyr": "LYRICS", "\xa9grp": "GROUPING"},
    **{"cprt": "COPYRIGHT", "\xa9too": "ENCODER", "soar": "ARTISTSORT", "soal": "ALBUMSORT", "sonm": "TITLESORT"},
    **{"soaa": "ALBUMARTISTSORT", "soco": "COMPOSERSORT"},
}
ATOMS = {text: atom for atom, text in TEXTS.items()}
PAIRS = {"trkn": ("TRACKNUMBER", "TRACKTOTAL"), "disk": ("DISCNUMBER", "DISCTOTAL")}
FREE = "----:com.apple.iTunes:"
# Apple's own note of delay and padding, of the file that was.
PASSING = (FREE + "iTunSMPB",)
MIMES = {MP4Cover.FORMAT_JPEG: "image/jpeg", MP4Cover.FORMAT_PNG: "image/png"}


def from_mp4(atoms: dict[str, Any], sample_rate: int) -> Metadata:
    """What the atoms of an MP4 file tell."""
    texts: dict[str, list[str]] = {}
    pictures, others = [], []
    for name, values in atoms.items():
        if name in TEXTS:
            texts[TEXTS[name]] = [str(value) for value in values]
        elif name in PAIRS and values:
            number, total = values[0]
            texts[PAIRS[name][0]] = [f"{number}/{total}" if total else str(number)]
        elif name == "tmpo":
            texts["BPM"] = [str(value) for value in values]
        elif name == "cpil":
            texts["COMPILATION"] = [str(int(bool(values)))]
        elif name == "covr":
            pictures = [Picture(bytes(cover), MIMES.get(cover.imageformat, "image/jpeg")) for cover in values]
        elif name.startswith(FREE) and name not in PASSING:
            texts[name[len(FREE) :].upper()] = [bytes(value).decode("utf-8", "replace") for value in values]
        elif name not in PASSING:
            others.append((name, values))
    return Metadata(sample_rate, texts, pictures, own={"mp4": others})


def to_mp4(metadata: Metadata) -> dict[str, Any]:
    """The atoms that tell it; MP4 has no covers but JPEG and PNG."""
    atoms: dict[str, Any] = dict(metadata.own.get("mp4", []))
    texts = dict(metadata.texts)
    for name, (key, total) in PAIRS.items():
        pair = _pair(texts.get(key), texts.get(total))
        if pair:
            atoms[name] = [pair]
            texts.pop(key), texts.pop(total, None)
    for key, values in texts.items():
        if key in ATOMS:
            atoms[ATOMS[key]] = values
        elif key == "BPM" and values and values[0].isdigit():
            atoms["tmpo"] = [min(int(values[0]), 2**15 - 1)]
        elif key == "COMPILATION":
            atoms["cpil"] = values[:1] == ["1"]
        else:
            atoms[FREE + key] = [MP4FreeForm(value.encode(), AtomDataType.UTF8) for value in values]
    formats = {mime: kind for kind, mime in MIMES.items()}
    covers = [MP4Cover(p.data, formats[p.mime]) for p in metadata.pictures if p.mime in formats]
    if covers:
        atoms["covr"] = covers
    return atoms


def _pair(number: list[str] | None, total: list[str] | None) -> tuple[int, int] | None:
    first, _, last = (number[0] if number else "").partition("/")
    last = last or (total[0] if total else "") or "0"
    fits = first.isdigit() and last.isdigit() and int(first) < 2**15 and int(last) < 2**15
    return (int(first), int(last)) if fits else None
