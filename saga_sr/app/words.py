"""What pages say, in the languages that they say it in."""

from __future__ import annotations

from collections.abc import Mapping

from saga_sr.app.sentences import in_chinese

# Each language with its own name and its code for browsers.
LANGUAGES = {"en": ("English", "en"), "zh": ("中文", "zh-CN")}
# By key, what it is called in each of the LANGUAGES in turn; `{name}` is filled in.
Table = Mapping[str, tuple[str, str]]


class Words:
    """The words of pages in one language.

    Args:
        language: a key of `LANGUAGES`.
        tables: of the pages; each key is in one of them.
    """

    def __init__(self, language: str, *tables: Table) -> None:
        self.language = language
        self._column = [*LANGUAGES].index(language)
        self._table = {key: said for table in tables for key, said in table.items()}

    def __call__(self, key: str, **values: object) -> str:
        """What `key` is called, with `values` in it."""
        said = self._table[key][self._column]
        return said.format(**values) if values else said

    def sentence(self, sentence: object) -> str:
        """What is said in a sentence of the code, in this language as far as it is known there."""
        return in_chinese(str(sentence)) if self.language == "zh" else str(sentence)
