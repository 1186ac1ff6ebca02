"""What pages say, in all languages."""

from __future__ import annotations

import re
from collections import Counter

import pytest

pytest.importorskip("gradio", reason="needs the extra: pip install -e '.[app]'")

from saga_sr.app.setting_words import WORDS as SETTING_WORDS
from saga_sr.app.site import PAGES
from saga_sr.app.site_words import WORDS as SITE_WORDS

TABLES = [SITE_WORDS, SETTING_WORDS, *(table for _, table, _ in PAGES)]


def test_each_key_is_in_one_table() -> None:
    assert [key for key, times in Counter(key for table in TABLES for key in table).items() if times > 1] == []


def test_what_is_filled_in_is_the_same_in_all_languages() -> None:
    for table in TABLES:
        for key, said in table.items():
            assert len({frozenset(re.findall(r"\{(\w+)", text)) for text in said}) == 1, key
