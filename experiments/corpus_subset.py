"""A few minutes of the corpus for studies that two cores bear: `python experiments/corpus_subset.py CORPUS FOLDER`.

CORPUS is what experiments/bundled/corpus.py makes. FOLDER gets train.tsv and validation.tsv with so many minutes of
each kind, drawn at random from the corpus's own table of that name, and always alike, and the middle of each recording
that was drawn. Its caption is its kind, since nobody has described them.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
from pathlib import Path

import soundfile

from saga_sr.core.atomic_file import write_atomically

CAPTIONS = {"music": "music", "sample": "a drum or an effect", "speech": "speech"}
LONGEST_S = 20.0


def excerpts(table: Path, folder: Path, minutes: float) -> list[dict[str, str]]:
    """Rows of a table of the excerpts that are written into `folder`, so many minutes of each kind in `table`."""
    with table.open(newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    random.Random(0).shuffle(rows)
    left = dict.fromkeys(CAPTIONS, 60 * minutes)
    written = []
    for row in rows:
        path = Path(row["path"])
        kind = path.parts[1]
        if left[kind] <= 0:
            continue
        with soundfile.SoundFile(table.parent / path) as recording:
            frames = min(recording.frames, round(LONGEST_S * recording.samplerate))
            recording.seek((recording.frames - frames) // 2)
            audio, rate = recording.read(frames, dtype="int16"), recording.samplerate
        if not (folder / path).is_file():  # what was prepared from it is not made anew
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(folder / path, audio, rate)
        left[kind] -= frames / rate
        written.append({"path": str(path), "caption": CAPTIONS[kind], "edge_hz": row["edge_hz"]})
    return written


def main(corpus: Path, folder: Path, minutes: float, held_out: float) -> None:
    for name, length in (("train.tsv", minutes), ("validation.tsv", held_out)):
        rows, text = excerpts(corpus / name, folder, length), io.StringIO(newline="")
        writer = csv.DictWriter(text, ["path", "caption", "edge_hz"], delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_atomically(folder / name, text.getvalue())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=5.0, help="of each kind, for training")
    parser.add_argument("--held-out", type=float, default=2.0, help="of each kind, for validation")
    given = parser.parse_args()
    main(given.corpus, given.folder, given.minutes, given.held_out)
