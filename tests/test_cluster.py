"""Files prepared and enhanced on a cluster of two machines, of which one, or a process, is killed in the middle."""

from __future__ import annotations

import json
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import soundfile
import torch
from programs import ROOT, Running
from recordings import PREPARE, sound, write_recordings

from saga_sr.cli.command import configured, read
from saga_sr.cli.main import main
from saga_sr.cli.prepare import COMMAND as PREPARE_COMMAND
from saga_sr.inference.record import NAME
from saga_sr.preparation import run as prepare

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

pytestmark = pytest.mark.slow
RATE, FILES = 8000, 6
ENDS_WITHIN_S = 120
# What a machine of the cluster has.
MACHINE = {"num_cpus": 1, "object_store_memory": 100 * 2**20}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two machines of one core each."""
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    # Ray puts sockets there, whose names may not be long.
    folder = tempfile.mkdtemp(prefix="ray")
    variables = {"RAY_TMPDIR": folder, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        started = cluster_utils.Cluster()
        try:
            started.add_node(include_dashboard=False, **MACHINE)
            started.add_node(**MACHINE)
            yield started
        finally:
            started.shutdown()
            shutil.rmtree(folder, ignore_errors=True)


def wait_for(condition: Callable[[], object], running: Running, said: Path) -> None:
    """Wait until `condition` holds, while a program runs."""
    end = time.monotonic() + ENDS_WITHIN_S
    while not condition():
        assert running.poll() is None and time.monotonic() < end, said.read_text()
        time.sleep(0.01)


def at_work(machine: object) -> list[psutil.Process]:
    """The workers of a machine that are doing something."""
    (raylet,) = machine.all_processes["raylet"]  # type: ignore[attr-defined]
    children = psutil.Process(raylet.process.pid).children()
    return [child for child in children if " ".join(child.cmdline()).startswith("ray::SagaWorker.do")]


def start(cluster: Cluster, words: list[str], said: Path) -> Running:
    address = f"address={cluster.address}"
    return Running("-m", "saga_sr", *words, "engine=ray", address, stdout=said, stderr=said)


def files(output: Path) -> dict[str, bytes]:
    return {str(path.relative_to(output)): path.read_bytes() for path in output.rglob("*") if path.is_file()}


def test_a_batch_whose_worker_is_killed_is_whole_and_each_file_is_told_once(
    cluster: Cluster, package: Path, tmp_path: Path
) -> None:
    for i in range(FILES):
        soundfile.write(tmp_path / f"song {i}.wav", sound(i, RATE, 1, RATE), RATE)
    (tmp_path / "bad.wav").write_bytes(b"nothing")
    words = ["enhance", f"input={tmp_path}/*.wav", f"model={package}", "steps=20", "chunk_s=0.5", "overlap_s=0.1"]
    torch.set_num_threads(1)
    with pytest.raises(SystemExit):
        main([*words, f"output={tmp_path}/local"])
    output, said, manifest = tmp_path / "out", tmp_path / "said", tmp_path / "run.json"
    running = start(cluster, [*words, f"output={output}", f"manifest={manifest}"], said)
    machine = cluster.worker_nodes.copy().pop()
    wait_for(lambda: at_work(machine) and [*output.glob("*.flac")] and [*output.glob("*.part")], running, said)
    at_work(machine)[0].send_signal(signal.SIGKILL)
    assert running.wait(ENDS_WITHIN_S) == 1
    text = said.read_text()
    assert "A worker of the cluster has ended; another takes its place" in text
    assert text.count("Skipped: ") == 1 and "1 of 7 files could not be enhanced" in text and "bad.wav" in text
    assert text.count(" -> ") == FILES
    there = {name: content for name, content in files(output).items() if name != NAME}
    assert there == {name: content for name, content in files(tmp_path / "local").items() if name != NAME}
    finished = [line for line in map(json.loads, (output / NAME).read_text().splitlines()) if "source" in line]
    assert Counter(line["output"] for line in finished) == Counter(f"song {i}.flac" for i in range(FILES))
    assert Counter(entry["status"] for entry in json.loads(manifest.read_text())["files"]) == {"done": 6, "failed": 1}


def test_a_preparation_whose_machine_is_killed_makes_the_same_bytes_and_nothing_twice(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_recordings(tmp_path / "recordings", 10, 1.5)
    words = [*PREPARE[3:-1], f"data.path={folder}"]
    monkeypatch.setattr(prepare, "run_parts", lambda work, parts, workers: [work(part) for part in parts])
    prepare.run(configured(PREPARE_COMMAND, read(PREPARE_COMMAND, [*words, f"output={tmp_path}/local"])))
    output, said = tmp_path / "out", tmp_path / "said"
    running = start(cluster, ["prepare", *words, f"output={output}"], said)
    done, machine = output / "job/done", cluster.worker_nodes.copy().pop()
    wait_for(lambda: at_work(machine) and len([*done.glob("train*")]) >= 2, running, said)
    before = {path: path.stat().st_mtime_ns for path in done.glob("*.safetensors")}
    cluster.remove_node(machine, allow_graceful=False)
    assert running.poll() is None
    assert running.wait(ENDS_WITHIN_S) == 0, said.read_text()
    assert "A worker of the cluster has ended; another takes its place" in said.read_text()
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert files(output) == files(tmp_path / "local")


def test_a_cluster_that_is_not_there_is_answered_in_one_sentence(
    package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ray")
    soundfile.write(tmp_path / "a.wav", sound(0, RATE, 1, RATE), RATE)
    words = ["enhance", f"input={tmp_path}/a.wav", f"output={tmp_path}/out/", f"model={package}", "engine=ray"]
    for more, answer in (
        (
            ["address=127.0.0.1:1"],
            "The Ray cluster at address=127.0.0.1:1 cannot be used ([Errno 111]",
        ),
        (["device=cuda:1"], "device=cuda:1 is not possible with engine=ray"),
    ):
        with pytest.raises(SystemExit, match="1"):
            main([*words, *more])
        assert f"error: {answer}" in capsys.readouterr().err
