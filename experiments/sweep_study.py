"""A study that is a sweep of trainings over settings and seeds: trained, compared, tabled and drawn by one command."""

from __future__ import annotations

import argparse
import itertools
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.tables import NONE, of_runs, put

OUTPUTS = Path("outputs")
LSD_HF = {"final val/lsd_hf": ("LSD-HF", 2)}
FIGURES = {
    **LSD_HF,
    "best val/lsd_hf": ("best LSD-HF", 2),
    "final val/lsd": ("LSD", 2),
    "final val/si_sdr": ("SI-SDR (dB)", 2),
}


@dataclass(frozen=True)
class SweepStudy:
    """
    Attributes:
        page: the README with the table; `comparison.csv` and the pictures lie beside it.
        name: of the sweep, and of its table in the page.
        settings: what differs, as `saga-sr train -m` takes it, with commas.
        others: what all runs have.
        told: what tells the rows apart, each with its heading.
        figures: see `of_runs`.
        comparison: the file beside the page with a line for each run.
    """

    page: Path
    name: str
    settings: Mapping[str, str]
    others: Sequence[str]
    told: Mapping[str, str]
    figures: Mapping[str, tuple[str, int]]
    comparison: str = "comparison.csv"

    def command(self) -> list[str]:
        """The words of the training; what is finished is passed over."""
        swept = [f"{key}={values}" for key, values in self.settings.items()]
        return ["train", "-m", *swept, *self.others, f"sweep.name={self.name}", "sweep.resume=true", "logger=csv"]

    def train(self, more: Sequence[str] = ()) -> None:
        """Make what runs are missing, and keep their figures beside the page."""
        saga_sr(*self.command(), *more)
        saga_sr("compare", str(OUTPUTS / self.name))
        shutil.copy(OUTPUTS / self.name / "comparison.csv", self.page.parent / self.comparison)

    def table(self) -> None:
        """Write the table of the figures that are kept, with a row for what is not there, too."""
        put(self.page, self.name, self.rows())

    def rows(self) -> list[list[str]]:
        """Those of the table, in the order of the settings."""
        head, *found = of_runs(self.page.parent / self.comparison, self.told, self.figures)
        by_setting = {tuple(row[: len(self.told)]): row for row in found}
        wanted = itertools.product(*([f"`{word}`" for word in self.settings[key].split(",")] for key in self.told))
        not_run = ["not run", *[NONE] * len(self.figures)]
        return [head, *(by_setting.get(words, [*words, *not_run]) for words in wanted)]

    def main(self, description: str) -> None:
        """The study as a program."""
        parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--table", action="store_true", help="only write the table of the runs that are kept")
        parser.add_argument("more", nargs="*", metavar="SETTING=VALUE", help="other settings of all runs")
        given = parser.parse_args()
        if not given.table:
            self.train(given.more)
            pictures = self.page.with_name("pictures.py")
            subprocess.run([sys.executable, str(pictures), str(OUTPUTS / self.name)], check=True)
        self.table()


def saga_sr(*words: str) -> None:
    """Run `saga-sr` with `words`.

    Raises:
        subprocess.CalledProcessError: it did not come to its end.
    """
    subprocess.run([sys.executable, "-m", "saga_sr", *words], check=True)
