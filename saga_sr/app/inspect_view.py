"""What the page Inspect shows, as HTML in which nothing of a file's is markup."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import prod

from saga_sr.app.model_contents import ModelContents
from saga_sr.app.tables import facts_html, table_html
from saga_sr.app.words import Words
from saga_sr.inspection.contents import Entry
from saga_sr.inspection.cost import Cost
from saga_sr.inspection.table import NOTHING, count, memory

# Tensors that are listed.
MOST_TENSORS = 3000


def contents_html(name: str, found: ModelContents, words: Words) -> str:
    """What is in what its user calls `name`."""
    contents = found.contents
    entries, left = contents.entries, sum(entry.ours is None for entry in contents.entries)
    said = words(
        "holds_tensors", count=f"{len(entries):,}", numbers=count(sum(prod(entry.shape) for entry in entries)),
        size=memory(sum(entry.size for entry in entries)),
    )  # fmt: skip
    facts = [(words("holds_kind"), words.sentence(contents.recognised))]
    for fact in contents.facts:
        label, colon, text = fact.partition(": ")
        facts.append((label, text) if colon else (words("holds_facts"), words.sentence(fact)))
    parts = [f"<h2>{escape(name)}</h2>", facts_html(facts)]
    if found.cost is not None:
        parts += [f"<h3>{escape(words('costs'))}</h3>", _cost(found.cost, words)]
    elif found.not_counted:
        parts.append(f"<p>{escape(words('not_counted', why=found.not_counted))}</p>")
    parts += [
        f"<h3>{escape(words('holds_parts'))}</h3>",
        table_html(
            words("holds_parts"),
            [words(key) for key in ("part", "tensors", "numbers", "size", "dtype")],
            [
                (part.name, f"{part.tensors:,}", count(part.numbers), memory(part.size), ", ".join(part.dtypes))
                for part in found.parts
            ],
        ),
        f"<h3>{escape(words('tensors'))}</h3>",
        f"<p>{escape(said)}{escape('; ' + words('holds_left', count=left)) if left else ''}</p>",
        _tensors(entries, words),
    ]
    if found.card:
        parts.append(f"<details><summary>{escape(words('card'))}</summary><pre>{escape(found.card)}</pre></details>")
    return f'<section class="saga-report">{"".join(parts)}</section>'


def _cost(cost: Cost, words: Words) -> str:
    facts = [
        (words("cost_codec"), cost.codec),
        (words("cost_rate"), f"{cost.sample_rate / 1000:g} kHz"),
        (words("cost_latent"), f"{cost.latent_dim:,}"),
        (words("cost_tokens"), f"{cost.tokens:.1f}"),
        (words("cost_parameters"), count(sum(cost.parameters.values()))),
        (words("cost_frozen"), count(cost.frozen)),
        (words("cost_forward"), count(cost.forward, "FLOP")),
        (words("cost_sampling"), count(cost.sampling, "FLOP")),
        (words("cost_evaluations"), f"{cost.evaluations} × {cost.branches}"),
        (words("cost_memory", s=f"{cost.chunk_s:g}"), memory(sum(cost.sampling_memory.values()))),
    ]
    left_out = "".join(f"<p>{escape(words('left_out', what=what))}</p>" for what in cost.left_out)
    return facts_html(facts) + left_out


def _tensors(entries: Sequence[Entry], words: Words) -> str:
    rows = [
        (entry.name, " × ".join(map(str, entry.shape)) or "1", entry.dtype, memory(entry.size), entry.ours or NOTHING)
        for entry in entries[:MOST_TENSORS]
    ]
    head = [words(key) for key in ("tensor", "shape", "dtype", "size", "becomes")]
    table = table_html(words("tensors"), head, rows)
    more = len(entries) - MOST_TENSORS
    return table + (f"<p>{escape(words('and_more', count=f'{more:,}'))}</p>" if more > 0 else "")
