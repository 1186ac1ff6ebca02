from __future__ import annotations

import json
import logging
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from object_storage import object_storage, upload
from prepared import LENGTH, RATE, prepared
from programs import ROOT
from recordings import write_recordings

from saga_sr.codecs.mdct import MDCT
from saga_sr.core.errors import ConfigError, DataError
from saga_sr.data.latents import LatentData
from saga_sr.data.mixture import Mixture
from saga_sr.data.sampler import EpochSampler
from saga_sr.data.shard_order import ShardOrder
from saga_sr.data.shards import Shards


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_recordings(tmp_path_factory.mktemp("recordings"), 12, 1.5)
    return prepared(folder, tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def own(output: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return shutil.copytree(output, tmp_path / "copy")


def data(path: Path | str | None, **settings: Any) -> LatentData:
    return LatentData(path and str(path), **{
        "shuffle_shards": 2, "groups": 4, "sample_rate": RATE, "num_samples": 4096, "channels": 1, "batch_size": 4,
        "epoch_size": 40, "validation_size": 4, "num_workers": 0, "seed": 3, **settings,
    })  # fmt: skip


def items(path: Path | str, indices: range, **settings: Any) -> list[dict[str, Any]]:
    crops = data(path, **settings).train_dataset()
    return [crops[i] for i in indices]


def same(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> bool:
    return len(a) == len(b) and all(
        torch.equal(x[name], y[name]) for x, y in zip(a, b, strict=True) for name in ("z_hr", "z_lr", "cutoff_hz")
    )


def test_an_item_is_a_crop_of_one_clip_and_of_one_of_its_low_passed_versions(output: Path) -> None:
    stream = Shards(str(output / "train")).stream
    clips = [stream[i] for i in range(len(stream))]
    versions = set()
    for item in items(output, range(20)):
        assert item["z_hr"].shape == item["z_lr"].shape == (64, 64)
        (clip,) = [clip for clip in clips if clip["name"] == item["name"]]
        places = [
            (version, start)
            for start in range(clip["latents"].shape[-1] - 63)
            if torch.equal(clip["latents"][0, :, start : start + 64], item["z_hr"])
            for version in (1, 2)
            if torch.equal(clip["latents"][version, :, start : start + 64], item["z_lr"])
        ]
        assert len(places) == 1
        version, start = places[0]
        versions.add(version)
        assert start + 64 <= -(-clip["sounding"] // 64) or start == 0
        found = [item["measured"][side]["rolloff"] for side in ("hr", "lr")]
        assert torch.equal(torch.stack(found), clip["measured"]["rolloff"][[0, version]])
        assert item["cutoff_hz"] == clip["cutoff_hz"][version] and [[0, item["caption"]]] == json.loads(
            clip["captions"]
        )
    assert versions == {1, 2}


def test_the_caption_is_that_of_the_crop(tmp_path: Path) -> None:
    folder = write_recordings(tmp_path / "recordings", 6, 2 * LENGTH / RATE)
    half = LENGTH / RATE / 2
    rows = [(str(path), f"{i} of {path.stem}", i * half) for path in folder.rglob("song*") for i in range(8)]
    lines = [dict(path=path, caption=said, start_s=begin, end_s=begin + half) for path, said, begin in rows]
    (folder / "captions.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    made, heard = prepared(folder, tmp_path / "out"), set()
    for item in items(made, range(60)):
        song, _, second = item["name"].removesuffix("s").partition("@")
        count, _, name = item["caption"].partition(" of ")
        assert name == song
        heard.add(int(count) - round(float(second) / half))
    assert heard == {0, 1}
    held_out = data(made).held_out_dataset(30, 4096, 1)
    assert len({held_out[i]["caption"][0] for i in range(30)}) > 2


def test_an_epoch_has_every_clip_once_and_each_its_own_order(output: Path) -> None:
    size = len(Shards(str(output / "train")))
    epochs = [[item["name"] for item in items(output, range(e * size, (e + 1) * size))] for e in (0, 1)]
    assert len(set(epochs[0])) == size and set(epochs[0]) == set(epochs[1]) and epochs[0] != epochs[1]


@pytest.mark.parametrize(("lengths", "groups"), [([3] * 5 + [1], 8), ([30] * 20, 8), ([7] * 9, 64), ([5], 4)])
def test_every_epoch_has_each_item_once_in_an_order_of_its_own(lengths: list[int], groups: int) -> None:
    order, size = ShardOrder(lengths, 1, groups, 16), sum(lengths)
    epochs = [[order[i] for i in range(e * size, (e + 1) * size)] for e in range(3)]
    assert all(sorted(epoch) == list(range(size)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    again = pickle.loads(pickle.dumps(order))
    assert [again[i] for i in range(size)] == epochs[0] != [ShardOrder(lengths, 2, groups, 16)[i] for i in range(size)]


def test_a_rank_reads_its_own_part_of_the_shards_in_every_epoch() -> None:
    order, shards = ShardOrder([30] * 96, 0, 8, 16), 30
    for ranks in (1, 2, 4, 8):
        read = [{order[n] // shards for n in range(rank, 3 * len(order), ranks)} for rank in range(ranks)]
        # Shards at the border of two stretches are both's.
        assert set.union(*read) == set(range(96)) and max(map(len, read)) <= 96 / ranks + 8


def test_shuffling_needs_few_shards_at_a_time_and_mixes_them() -> None:
    window = 16
    order = np.array([*map(ShardOrder([30] * 100, 0, 4, window).__getitem__, range(3000))]) // 30
    first, last = ({s: i for i, s in pairs} for pairs in (reversed([*enumerate(order)]), enumerate(order)))
    held = [sum(first[s] <= i <= last[s] for s in first) for i in range(0, 3000, 50)]
    assert max(held) <= 2 * window and np.mean([len(set(order[i : i + 16].tolist())) for i in range(500, 2500)]) > 6


def test_corpora_have_the_shares_that_their_weights_say_and_each_item_comes_in_its_turn() -> None:
    groups, mixture = 4, Mixture([1, 3], 0, 4)
    drawn = [mixture(n) for n in range(2000 * groups)]
    counts = np.bincount([corpus for corpus, _ in drawn])
    assert counts.tolist() == [500 * groups, 1500 * groups]
    for corpus in (0, 1):
        assert sorted(own for c, own in drawn if c == corpus) == list(range(counts[corpus]))
    assert all(own % groups == n % groups for n, (_, own) in enumerate(drawn))
    assert [corpus for corpus, _ in drawn[:200]] != [corpus for corpus, _ in map(Mixture([1, 3], 1, 4), range(200))]
    # Without others a corpus is read as if there were no mixture.
    assert [Mixture([2], 0, 4)(n) for n in range(5000)] == [(0, n) for n in range(5000)]
    with pytest.raises(ConfigError, match=r"A weight of data\.mix is less than"):
        Mixture([1, 5000], 0, 4)


def test_prepared_corpora_are_mixed(output: Path, own: Path) -> None:
    named = {"music": {"path": str(output), "weight": 3}, "speech": {"path": str(own)}}
    mixed = data(None, mix=named)
    crops, alone = mixed.train_dataset(), data(output).train_dataset()
    size = len(mixed.prepared[0].shards("train"))
    names = [crops[n]["name"] for n in range(4 * size)]
    assert set(names) == {alone[n]["name"] for n in range(size)} and len(set(names)) == size
    assert mixed.describe().startswith("Latents prepared from 18 recordings")
    found: Any = []
    recalled: Any = type("Model", (), {"recall_statistics": lambda self, *given: found.append(given)})()
    mixed.fit_statistics(recalled, 0, True)
    data(output).fit_statistics(recalled, 0, True)
    (both, where, _), (one, _, _) = found
    assert torch.allclose(both.mean, one.mean) and torch.allclose(both.deviation, one.deviation)
    assert where == f"{output}, {own}"
    for path, mix, message in (
        (None, None, r"either data\.path=FOLDER or data\.mix"), ("a", named, "either"),
        (None, {"a": {"weight": 1}}, r"data\.mix\.a=.* is no corpus"), (None, {"a": "b"}, "is no corpus"),
        (None, {"a": {"path": "x", "weight": 0}}, r"data\.mix\.a\.weight=0 is no share"),
        (None, {"a": {"path": "x"}, "b": {"path": "x"}}, "names x twice"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=message):
            data(path, mix=mix)


def test_items_depend_neither_on_workers_nor_on_what_was_read_before(output: Path) -> None:
    whole = items(output, range(24))
    assert same([items(output, range(i, i + 1))[0] for i in range(17, 20)], whole[17:20])
    for workers in (1, 3):
        loader = data(output, num_workers=workers).train_dataloader()
        batches = [batch for _, batch in zip(range(6), loader, strict=False)]
        assert torch.equal(torch.cat([batch["z_lr"] for batch in batches]), torch.stack([x["z_lr"] for x in whole]))
    assert not same(items(output, range(24), seed=4), whole)


def test_ranks_share_an_epoch_without_overlap(output: Path) -> None:
    indices = [i for rank in (0, 1) for i in EpochSampler(40, rank, 2)]
    assert sorted(indices) == list(range(40))


def test_held_out_clips_are_the_same_in_every_run(output: Path) -> None:
    one, other = (data(output, seed=seed).held_out_dataset(3, 4096, seed=9) for seed in (3, 4))
    assert all(torch.equal(one[i]["hr"], other[i]["hr"]) for i in range(3))
    assert data(output).evaluation_clips(2, 1.0)[0]["hr"].shape == (1, RATE)
    (batch,) = data(output).val_dataloader()
    assert batch["hr"].shape == (4, 1, 4096)


@pytest.mark.parametrize(("harm", "reason"), [
    ("missing", "it is missing"), ("truncated", "it has 5000 bytes"), ("changed", "its checksums are wrong"),
])  # fmt: skip
def test_a_lost_shard_is_named_counted_and_others_take_its_place(
    harm: str, reason: str, output: Path, own: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shard = sorted((own / "train").glob("*.bin"))[1]
    if harm == "missing":
        shard.unlink()
    elif harm == "truncated":
        shard.write_bytes(shard.read_bytes()[:5000])
    else:
        content = bytearray(shard.read_bytes())
        for place in range(2000, len(content), 2000):
            content[place] ^= 0xFF
        shard.write_bytes(content)
    everything = range(len(Shards(str(output / "train"))))
    good = items(output, everything)
    with caplog.at_level(logging.WARNING):
        source = data(own)
        crops = source.train_dataset()
        found = [crops[i] for i in everything]
        source.teardown("fit")
    assert f"Shard {shard.name} of {own}/train cannot be used ({reason})" in caplog.text
    assert caplog.text.count("cannot be used") == 1
    replaced = [i for i in everything if good[i]["name"] != found[i]["name"]]
    assert 0 < len(replaced) <= 3 and "items of train" in caplog.text
    assert same(*([x for i, x in enumerate(each) if i not in replaced] for each in (good, found)))
    # And again the same, whatever is known by then.
    assert same(items(own, everything), found)


def test_data_that_is_wholly_lost_ends_the_run(own: Path) -> None:
    for shard in (own / "train").glob("*.bin"):
        shard.unlink()
    with pytest.raises(DataError, match="items in a row"):
        items(own, range(1))


def test_statistics_normalise_and_those_of_another_codec_are_refused(output: Path) -> None:
    class Model:
        codec = MDCT(RATE, 64, 0.5)

        def recall_statistics(self, statistics: Any, where: str, normalise: bool) -> None:
            statistics.check(self.codec, where)
            self.codec.set_statistics(statistics.mean, statistics.deviation)

    model: Any = Model()
    data(output).fit_statistics(model, 0, True)
    raw = torch.cat([clip["latents"][0] for clip in map(Shards(str(output / "train")).get, range(8), [None] * 8)], -1)
    z = model.codec.normalise(raw[None])
    assert 0.8 < float(z.std()) < 1.2
    for other in (MDCT(RATE, 64, 0.35), MDCT(RATE, 128, 0.5)):
        model.codec = other
        with pytest.raises(DataError, match="were made by another codec"):
            data(output).fit_statistics(model, 0, True)


def test_wrong_settings_are_answered(output: Path, tmp_path: Path) -> None:
    for settings, message in (
        ({"num_samples": LENGTH + 64}, f"at most {LENGTH}"),
        ({"num_samples": 10}, "shorter than a frame; give 64"),
        ({"sample_rate": 48_000}, "prepared at 44100 Hz"),
        ({"shuffle_shards": 0}, "shuffle_shards=0 must be at least 1"),
    ):
        with pytest.raises(ConfigError, match=message):
            items(output, range(1), **settings)
    with pytest.raises(DataError, match=r"has no prepared\.json .*give the output of"):
        items(tmp_path, range(1))


@pytest.fixture(scope="module")
def bucket(output: Path) -> Iterator[str]:
    """The same in a real S3-compatible server."""
    with object_storage() as client:
        yield upload(client, output, "songs")


def test_object_storage_gives_what_the_folder_gives(bucket: str, output: Path, tmp_path: Path) -> None:
    stored = data(f"{bucket}/", cache=str(tmp_path))
    assert stored.describe() == data(output).describe()
    assert torch.equal(stored.held_out_dataset(2, 4096, 1)[1]["hr"], data(output).held_out_dataset(2, 4096, 1)[1]["hr"])
    # Streamed by processes of their own.
    stored = data(bucket, cache=str(tmp_path), num_workers=2)
    batches = [batch["z_hr"] for _, batch in zip(range(6), stored.train_dataloader(), strict=False)]
    assert torch.equal(torch.cat(batches), torch.stack([item["z_hr"] for item in items(output, range(24))]))


def test_what_is_not_in_object_storage_is_answered(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"s3://sounds/others/prepared\.json cannot be read"):
        items("s3://sounds/others", range(1), cache=str(tmp_path))


def test_reading_latents_is_not_imported_with_the_package() -> None:
    code = "import sys, saga_sr.training.run; sys.exit('litdata' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
