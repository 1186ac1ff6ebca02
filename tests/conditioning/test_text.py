from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from text_encoder import make_text_encoder
from transformers import AutoTokenizer, T5EncoderModel

from saga_sr.conditioning.text import TextCondition
from saga_sr.core.errors import WeightsError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_text_encoder(tmp_path_factory.mktemp("text"))


@torch.no_grad()
def test_tokens_are_the_encoders_filled_up_with_zeros(folder: Path) -> None:
    condition = TextCondition(str(folder), width=24, max_tokens=16)
    tokens = condition(["a dog", "a cat purrs"]).tokens
    tokenizer, encoder = AutoTokenizer.from_pretrained(folder), T5EncoderModel.from_pretrained(folder).eval()
    expected = encoder(torch.tensor([tokenizer("a cat purrs")["input_ids"]])).last_hidden_state[0]
    assert tokens.shape == (2, 16, 24)
    assert torch.allclose(tokens[1, : len(expected)], expected, atol=2e-3) and not tokens[1, len(expected) :].any()


def test_no_caption_is_the_null_condition_and_stays_so_through_the_projection(folder: Path) -> None:
    for width in (24, 12):
        tokens = TextCondition(str(folder), width=width)(["", "  ", "rain"]).tokens
        assert tokens.shape == (3, 128, width) and not tokens[:2].any() and tokens[2].any()


def test_each_caption_is_read_once_and_alone(folder: Path) -> None:
    condition = TextCondition(str(folder), width=24)
    calls: list[int] = []
    condition.reader.network.encoder.register_forward_hook(lambda *args: calls.append(1))
    for _ in range(3):
        together = condition(["rain", "a dog", "rain", ""]).tokens
    assert len(calls) == 2
    alone = TextCondition(str(folder), width=24)(["a dog"]).tokens
    assert torch.equal(together[1], alone[0])


def test_long_and_foreign_captions_are_used_with_a_warning(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    condition = TextCondition(str(folder), width=24, max_tokens=16)
    with caplog.at_level(logging.WARNING):
        long, foreign = condition(["ab" * 5000, "雨の音"]).tokens
        condition(["雨の音"])
    assert long.isfinite().all() and foreign[:3].any()
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2 and "10000 tokens; the text encoder reads the first 16" in said[0]
    assert "does not know" in said[1] and max(map(len, said)) < 250


def test_the_encoder_is_neither_trained_nor_in_the_state(folder: Path, tmp_path: Path) -> None:
    condition = TextCondition(str(folder), width=12).train()
    assert set(condition.state_dict()) == {"project.weight", "project.bias"}
    assert sum(p.numel() for p in condition.parameters()) == 24 * 12 + 12
    assert not condition.reader.network.encoder.training
    condition.save_pretrained(tmp_path / "copy")
    again = TextCondition(str(tmp_path / "copy"), width=24)
    assert torch.equal(again(["a dog"]).tokens, TextCondition(str(folder), width=24)(["a dog"]).tokens)


def test_a_missing_or_damaged_encoder_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"There is no text encoder at .*nowhere; give the folder of a T5 encoder"):
        TextCondition(str(tmp_path / "nowhere"), width=24)
    damaged = make_text_encoder(tmp_path / "damaged")
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:3000])
    with pytest.raises(WeightsError, match="cannot be read"):
        TextCondition(str(damaged), width=24)
    weights.unlink()
    with pytest.raises(WeightsError, match="cannot be read"):
        TextCondition(str(damaged), width=24)
