"""What stands around all pages."""

from __future__ import annotations

from saga_sr.app.words import Table

WORDS: Table = {
    "title": ("saga-sr", "saga-sr"),
    "claim": ("Brings back what a dull recording has lost.", "找回沉闷录音中丢失的高音。"),
    "language": ("Language", "语言"),
    "copy": ("Copy", "复制"),
    "copied": ("Copied", "已复制"),
}
