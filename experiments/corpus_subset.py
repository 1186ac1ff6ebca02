"""A few minutes of the corpus for studies that two cores bear: `python experiments/corpus_subset.py CORPUS FOLDER`.

CORPUS is what experiments/bundled/corpus.py makes. FOLDER gets train.tsv and validation.tsv, each with as many minutes
of each kind, drawn at random from the corpus's own table of that name, and always alike; long songs are passed over.
A recording's caption is its kind, since nobody has described them.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
from pathlib import Path

import soundfile

from saga_sr.core.atomic_file import write_atomically

KINDS = {"music": "music", "sample": "a drum or an effect", "speech": "speech"}
LONGEST_S = 150.0


def drawn(table: Path, minutes: float) -> list[dict[str, str]]:
    """Rows of `table`, so many minutes of each kind."""
    with table.open(newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    random.Random(0).shuffle(rows)
    left = dict.fromkeys(KINDS, 60 * minutes)
    kept = []
    for row in rows:
        path = table.parent.resolve() / row["path"]
        kind = Path(row["path"]).parts[1]
        if left[kind] > 0:
            duration_s = soundfile.info(path).duration
            if duration_s <= LONGEST_S:
                left[kind] -= duration_s
                kept.append({"path": str(path), "caption": KINDS[kind], "edge_hz": row["edge_hz"]})
    return kept


def main(corpus: Path, folder: Path, minutes: float, held_out: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, length in (("train.tsv", minutes), ("validation.tsv", held_out)):
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, ["path", "caption", "edge_hz"], delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(drawn(corpus / name, length))
        write_atomically(folder / name, text.getvalue())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=6.0, help="of each kind, for training")
    parser.add_argument("--held-out", type=float, default=1.0, help="of each kind, for validation")
    given = parser.parse_args()
    main(given.corpus, given.folder, given.minutes, given.held_out)
