from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from saga_sr.core.errors import ConfigError
from saga_sr.core.run_folder import read_record
from saga_sr.training.record import check_same_settings, new_record, update_record, write_record


def test_a_record_says_what_ran(tmp_path: Path) -> None:
    write_record(tmp_path, new_record(["seed=1"]))
    update_record(tmp_path, status="failed", reason="why")
    record = read_record(tmp_path)
    assert record is not None
    assert record["overrides"] == ["seed=1"] and record["status"] == "failed" and record["reason"] == "why"
    assert record["versions"]["torch"] and record["command"] and record["began"]
    assert set(record["git"]) in ({"commit", "changed"}, set())
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]


def test_a_missing_or_broken_record_is_none(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None
    (tmp_path / "run.json").write_text('{"status": "runn')
    assert read_record(tmp_path) is None


def test_a_run_does_not_go_on_with_other_settings(tmp_path: Path) -> None:
    earlier = OmegaConf.create({"seed": 1, "width": 8, "copy": "${width}", "trainer": {"max_steps": 5}})
    OmegaConf.save(earlier, tmp_path / "config.yaml", resolve=True)
    check_same_settings(tmp_path, earlier)
    check_same_settings(tmp_path, OmegaConf.merge(earlier, {"trainer": {"max_steps": 9}}))
    with pytest.raises(ConfigError, match=r"copy was 8, is 9, width was 8, is 9.*resume=never"):
        check_same_settings(tmp_path, OmegaConf.merge(earlier, {"width": 9}))
