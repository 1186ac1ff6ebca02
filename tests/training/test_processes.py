from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from saga_sr.core.errors import ConfigError
from saga_sr.training import processes
from saga_sr.training.processes import device_count, is_first, processes_to_start


def trainer(devices: object, accelerator: str = "auto") -> object:
    return OmegaConf.create({"devices": devices, "accelerator": accelerator})


def test_devices_are_counted_and_what_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes.torch.cuda, "device_count", lambda: 0)
    assert device_count(trainer(2, "cpu")) == device_count(trainer(2)) == 2 and device_count(trainer("auto")) == 1
    with pytest.raises(ConfigError, match="needs a GPU, but none is found"):
        device_count(trainer(1, "gpu"))
    for wrong in (0, -2, "two", [0, 1]):
        with pytest.raises(ConfigError, match="give a number from 1"):
            device_count(trainer(wrong, "cpu"))
    monkeypatch.setattr(processes.torch.cuda, "device_count", lambda: 4)
    assert device_count(trainer("auto")) == device_count(trainer(-1, "gpu")) == 4
    assert device_count(trainer(8, "cpu")) == 8
    with pytest.raises(ConfigError, match=r"this machine has 4 GPU\(s\)"):
        device_count(trainer(5))


def test_only_the_process_that_the_user_started_starts_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TORCHELASTIC_RUN_ID", "SLURM_NTASKS", "SLURM_PROCID", "RANK"):
        monkeypatch.delenv(name, raising=False)
    assert processes_to_start(trainer(2, "cpu")) == 2 and processes_to_start(trainer(1, "cpu")) == 0 and is_first()
    monkeypatch.setenv("SLURM_NTASKS", "1")  # one task that is given several devices
    monkeypatch.setenv("SLURM_PROCID", "0")
    assert processes_to_start(trainer(2, "cpu")) == 2
    monkeypatch.setenv("SLURM_NTASKS", "2")
    monkeypatch.setenv("SLURM_PROCID", "1")
    assert processes_to_start(trainer(2, "cpu")) == 0 and not is_first()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("RANK", "0")
    assert processes_to_start(trainer(2, "cpu")) == 0 and is_first()
