"""Write a small text encoder for this study: a T5 of random weights over the words that the built-in data speaks of.

    python experiments/saga_small_ablation/text_encoder.py outputs/text_encoder [TABLE]

or over those of the column `caption` of a table of recordings. Stands in for T5-base, which cannot be had without a
network. It is frozen like that one; random layers keep words apart, and what they mean is learned by the projection and
the cross-attention behind it.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

from saga_sr.synthesis.dataset import SyntheticAudio

CLIPS = 400
SPECIAL = ["<pad>", "</s>", "<unk>"]


def captions_of(table: Path | None) -> list[str]:
    """Those of a table of recordings, or of clips of the built-in data."""
    if table is None:
        data = SyntheticAudio(CLIPS, num_samples=2048, seed=12345)
        return [data[i]["caption"] for i in range(CLIPS)]
    with table.open(newline="") as lines:
        return [row["caption"] for row in csv.DictReader(lines, delimiter="\t")]


def main(folder: Path, table: Path | None = None) -> None:
    """Collect the words of captions, and write tokenizer and encoder into `folder`."""
    captions = captions_of(table)
    split = pre_tokenizers.Whitespace()
    words = sorted({word for caption in captions for word, _ in split.pre_tokenize_str(caption)})
    vocabulary = {word: i for i, word in enumerate(SPECIAL + words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = split
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=128
    ).save_pretrained(folder)
    torch.manual_seed(0)
    T5EncoderModel(
        T5Config(vocab_size=len(vocabulary), d_model=256, d_kv=32, d_ff=512, num_layers=2, num_heads=8)
    ).save_pretrained(folder)
    print(f"{len(words)} words in {folder}; for example: {captions[0]}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
