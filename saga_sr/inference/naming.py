"""What results are called: a template, and different names for different recordings."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from string import Formatter

from saga_sr.core.errors import ConfigError
from saga_sr.files.output_formats import suffix_of_film

TEMPLATE = "{stem}.{ext}"
FIELDS = ("stem", "ext", "suffix")


def check_template(template: str) -> None:
    """See whether `template` names files.

    Raises:
        ConfigError: it has other fields than there are, is a path, or does not end as the format asks for.
    """
    try:
        parts = [(field, spec, conversion) for _, field, spec, conversion in Formatter().parse(template) if field]
    except ValueError as error:
        raise ConfigError(f"name={template} cannot be read ({error}); write one like {TEMPLATE}.") from error
    for field, spec, conversion in parts:
        if field not in FIELDS or spec or conversion:
            known = ", ".join(f"{{{name}}}" for name in FIELDS)
            raise ConfigError(f"name={template} asks for {{{field}}}; what there is are {known}.")
    if "/" in template or os.sep in template or not template.endswith(".{ext}") or "{stem}" not in template:
        raise ConfigError(f"name={template} is not a file's name with {{stem}} that ends in .{{ext}}.")


def result_places(places: Sequence[Path], suffix: str | None, template: str = TEMPLATE) -> list[Path]:
    """Where the result of each recording goes in a folder of results, by where the recording lies.

    Results that would be one, also to systems that take no notice of case, keep the recording's suffix in `{stem}`:
    `x.wav` beside `x.mp3` becomes `x.wav.flac`, and that `x.mp3.flac`. What is one even then differs in case or accents
    alone, and a few letters that stand for the exact name are added. So a name depends on which recordings there are,
    but not on their order.

    Args:
        places: paths, relative to the folder of results.
        suffix: of the results, without its dot; None for films that keep their own.
        template: a name with `{stem}`, `{suffix}` (the recording's) and `{ext}` (the result's).

    Raises:
        ConfigError: a template that names no files, or two recordings that lie in the same place.
    """
    check_template(template)
    if len({*places}) < len(places):
        twice = next(place for place, count in Counter(places).items() if count > 1)
        raise ConfigError(
            f"Several recordings would become {result_place(twice, suffix, template)}; name a folder that holds them "
            "all, whose structure is kept, or enhance them into folders of their own."
        )
    results = [result_place(place, suffix, template) for place in places]
    length = [0] * len(places)  # of each stem, in the steps of `_stem`
    while clashing := _clashing(results, length):
        for i in clashing:
            length[i] += 1
            results[i] = result_place(places[i], suffix, template, length[i])
    return results


def result_place(place: Path, suffix: str | None, template: str = TEMPLATE, length: int = 0) -> Path:
    """Where the result of the recording at `place` goes if nothing else is in the way."""
    fields = {"stem": _stem(place, length), "ext": suffix or suffix_of_film(place), "suffix": place.suffix[1:]}
    return place.parent / template.format(**fields)


def _stem(place: Path, length: int) -> str:
    if length == 0:
        return place.stem
    exact = hashlib.sha256(os.fsencode(place)).hexdigest()[: 6 * (length - 1)]
    return f"{place.name}-{exact}" if exact else place.name


def _clashing(results: Sequence[Path], length: Sequence[int]) -> list[int]:
    """Which of the results have to be called otherwise: of those that are one, those of the shortest stems."""
    alike: defaultdict[str, list[int]] = defaultdict(list)
    for i, result in enumerate(results):
        alike[unicodedata.normalize("NFC", unicodedata.normalize("NFC", str(result)).casefold())].append(i)
    groups = [group for group in alike.values() if len(group) > 1]
    return [i for group in groups for i in group if length[i] == min(length[j] for j in group)]
