"""Facts and tables as HTML in which nothing of a user's is markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def facts_html(facts: Iterable[tuple[str, str]]) -> str:
    """Labels with what is said of each."""
    items = "".join(f"<div><dt>{escape(label)}</dt><dd>{escape(text)}</dd></div>" for label, text in facts)
    return f'<dl class="saga-facts">{items}</dl>'


def table_html(label: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table that scrolls by itself, also by keyboard; each row begins with what it is about."""
    first = "".join(f'<th scope="col">{escape(text)}</th>' for text in head)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        for name, *cells in rows
    )
    return (
        f'<div class="saga-table" role="region" tabindex="0" aria-label="{escape(label)}"><table>'
        f"<thead><tr>{first}</tr></thead><tbody>{body}</tbody></table></div>"
    )
