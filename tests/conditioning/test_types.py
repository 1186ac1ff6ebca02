from __future__ import annotations

import torch
from torch.nn.functional import scaled_dot_product_attention

from saga_sr.conditioning import Conditioning
from saga_sr.conditioning.types import Place


def test_dropping_takes_the_null_value_of_each_condition_and_leaves_the_others() -> None:
    full = Conditioning(
        concat=torch.ones(2, 3, 4),
        cross_attention=torch.ones(2, 5, 6),
        global_=torch.ones(2, 8),
        places={
            "acoustic": Place(channels=((0, 3),), null=-5.0),
            "text": Place(((0, 3),)),
            "rolloff": Place(((3, 5),), ((4, 8),)),
        },
    )
    acoustic = full.drop({"acoustic"})
    assert torch.equal(acoustic.concat, torch.full((2, 3, 4), -5.0))
    assert acoustic.cross_attention is full.cross_attention
    text = full.drop({"text"})
    assert text.cross_attention[:, :, 0].tolist() == [[0, 0, 0, 1, 1]] * 2 and torch.equal(text.global_, full.global_)
    rolloff = full.drop({"rolloff"})
    assert rolloff.cross_attention[:, :, 0].tolist() == [[1, 1, 1, 0, 0]] * 2
    assert rolloff.global_.tolist() == [[1, 1, 1, 1, 0, 0, 0, 0]] * 2
    everything = full.drop({"text", "rolloff", "acoustic"})
    assert not everything.cross_attention.any() and float(everything.global_.sum()) == 8
    assert full.drop(set()) is full and full.drop({"unheard of"}) is full


def test_rows_choose_the_examples() -> None:
    full = Conditioning(
        concat=torch.ones(3, 1, 1),
        global_=torch.ones(3, 2),
        places={"acoustic": Place(channels=((0, 1),)), "text": Place(columns=((0, 2),))},
    )
    rows = torch.tensor([True, False, True])
    assert full.drop({"acoustic"}, rows).concat.flatten().tolist() == [0, 1, 0]
    assert full.drop({"text"}, rows).global_[:, 0].tolist() == [0, 1, 0]


def test_stacking_keeps_order_and_repeating_keeps_rows_together() -> None:
    first, second = (Conditioning(concat=torch.full((2, 1, 1), value)) for value in (1.0, 2.0))
    stacked = Conditioning.stack([first, second])
    assert stacked.concat.flatten().tolist() == [1, 1, 2, 2] and stacked.parts == {"concat"}
    prepared = Conditioning(concat=stacked.concat[1:3], keys_values=(torch.tensor([[1.0], [2.0]]),)).repeat(2)
    assert prepared.concat.flatten().tolist() == prepared.keys_values[0].flatten().tolist() == [1, 1, 2, 2]


def test_attention_to_joined_zeros_is_attention_to_all_of_them() -> None:
    torch.manual_seed(0)
    tokens = torch.randn(3, 12, 8)
    tokens[0, 4:10] = 0
    tokens[1] = 0
    tokens[2, ::2] = 0
    joined = Conditioning(cross_attention=tokens).merge_zero_tokens()
    assert joined.cross_attention is not None and joined.cross_attention_mask is not None
    assert joined.cross_attention.shape == (3, 7, 8)  # six tokens at most, and one of zeros
    query, to_key, to_value = torch.randn(3, 5, 8), torch.randn(8, 8), torch.randn(8, 8)
    everything = scaled_dot_product_attention(query, tokens @ to_key, tokens @ to_value)
    keys, values = joined.cross_attention @ to_key, joined.cross_attention @ to_value
    shorter = scaled_dot_product_attention(query, keys, values, joined.cross_attention_mask[:, None])
    assert torch.allclose(shorter, everything, atol=1e-6)


def test_tokens_without_zeros_are_left_as_they_are() -> None:
    conditioning = Conditioning(cross_attention=torch.ones(2, 3, 4))
    assert conditioning.merge_zero_tokens() is conditioning
    masked = Conditioning(cross_attention=torch.zeros(2, 3, 4), cross_attention_mask=torch.ones(2, 3, dtype=torch.bool))
    assert masked.merge_zero_tokens() is masked


def test_a_condition_of_nothing_but_zeros_is_null() -> None:
    places = {"text": Place(((0, 2),)), "rolloff": Place(columns=((1, 3),)), "acoustic": Place(null=-5.0)}
    conditioning = Conditioning(cross_attention=torch.ones(2, 4, 3), global_=torch.zeros(2, 4), places=places)
    assert not conditioning.is_null("text") and conditioning.is_null("rolloff") and not conditioning.is_null("acoustic")
    assert conditioning.drop({"text"}).is_null("text")
