"""Files prepared and enhanced on a cluster of two machines, of which one, or a process, is killed in the middle.

Recordings and results are in object storage: what machines have in common is no disk.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import soundfile
import torch
from object_storage import BUCKET, contents, object_storage, upload
from prepared import of_training
from programs import ROOT, Running
from recordings import PREPARE, sound, write_recordings

from saga_sr.cli.command import configured, read
from saga_sr.cli.main import main
from saga_sr.cli.prepare import COMMAND as PREPARE_COMMAND
from saga_sr.core.cluster import Cluster as Where
from saga_sr.core.cluster import share
from saga_sr.core.errors import DataError
from saga_sr.core.journal import journal_at
from saga_sr.core.storage import shared
from saga_sr.inference.record import NAME
from saga_sr.preparation import run as prepare

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

pytestmark = pytest.mark.slow
RATE, FILES = 8000, 4
ENDS_WITHIN_S = 120
# Ray keeps the first that a process has.
TOKEN = secrets.token_hex(32)
# What a machine of the cluster has.
MACHINE = {"num_cpus": 1, "object_store_memory": 100 * 2**20}


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """A client of object storage, which is there before the machines that are to know of it."""
    with object_storage() as client:
        yield client


@pytest.fixture(scope="module")
def cluster(s3: Any) -> Iterator[Cluster]:
    """Two machines of one core each, whose temporary files are in `TMPDIR`."""
    # Ray puts sockets there, whose names may not be long.
    folder = tempfile.mkdtemp(prefix="ray")
    (Path(folder) / "t").mkdir()
    variables = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "RAY_TMPDIR": folder, "RAY_USAGE_STATS_ENABLED": "0"}
    # Workers are as important as the tests that wait for them.
    variables |= {"RAY_agent_register_timeout_ms": "120000", "RAY_worker_niceness": "0", "TMPDIR": f"{folder}/t"}
    # Nobody else on the network has it do anything.
    variables |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        cluster_utils = pytest.importorskip("ray.cluster_utils")
        before = signal.getsignal(signal.SIGTERM)
        started = cluster_utils.Cluster()
        try:
            with skipped_where_ray_cannot_start():
                started.add_node(include_dashboard=False, **MACHINE)
                started.add_node(**MACHINE)
            yield started
        finally:
            started.shutdown()
            signal.signal(signal.SIGTERM, before)
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def skipped_where_ray_cannot_start() -> Iterator[None]:
    """Ray gives its own processes seconds to start, which are too few where twenty others share two cores."""
    try:
        yield
    except Exception as error:
        if "timed out during startup" not in str(error):
            raise
        pytest.skip(str(error))


def wait_for(condition: Callable[[], object], running: Running, said: Path) -> None:
    """Wait until `condition` holds, while a program runs."""
    end = time.monotonic() + ENDS_WITHIN_S
    while not condition():
        assert running.poll() is None and time.monotonic() < end, said.read_text()
        time.sleep(0.05)


def second_machine(cluster: Cluster) -> Any:
    """The one that is not the head, started where a test has killed it."""
    return next(iter(cluster.worker_nodes), None) or cluster.add_node(**MACHINE)


def workers(machine: Any) -> list[psutil.Process]:
    """The workers of a machine."""
    (raylet,) = machine.all_processes["raylet"]
    children = psutil.Process(raylet.process.pid).children()
    return [child for child in children if called(child).startswith("ray::SagaWorker")]


def called(process: psutil.Process) -> str:
    """What a process calls itself, which for workers is what they do."""
    try:
        return " ".join(process.cmdline()).strip()
    except psutil.NoSuchProcess:
        return ""


@contextmanager
def in_the_middle(cluster: Cluster, begun: Callable[[], object], running: Running, said: Path) -> Iterator[None]:
    """While the second machine is at work, something is done, and the first, which may be faster, is held."""
    machine = second_machine(cluster)
    wait_for(begun, running, said)
    held = workers(cluster.head_node)
    for process in held:
        process.suspend()
    try:
        wait_for(lambda: any(called(one) == "ray::SagaWorker.do" for one in workers(machine)), running, said)
        yield
    finally:
        for process in held:
            process.resume()


def start(cluster: Cluster, words: list[str], said: Path) -> Running:
    address = f"address={cluster.address}"
    return Running("-m", "saga_sr", *words, "engine=ray", address, stdout=said, stderr=said)


def files(folder: Path) -> dict[str, bytes]:
    """What is in a folder and is not hidden."""
    found = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {str(name): path.read_bytes() for name, path in found.items() if name.name[0] != "."}


def stored(s3: Any, folder: str) -> dict[str, bytes]:
    """The same of a folder of the bucket."""
    names = [name for name in contents(s3, folder) if name[0] != "."]
    return {name: s3.get_object(Bucket=BUCKET, Key=f"{folder}/{name}")["Body"].read() for name in names}


def written(s3: Any, folder: str) -> dict[str, Any]:
    """When each object below a folder was written."""
    return {name: found["LastModified"] for name, found in contents(s3, folder).items()}


def test_what_kills_its_workers_is_given_up_and_all_else_is_done(cluster: Cluster) -> None:
    begun, ended, lost = list[int](), dict[int, int](), list[int]()

    def work(item: int) -> int:
        if item == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return item**2

    left_behind = Path(os.environ["TMPDIR"]) / ".saga-sr-old.part"
    left_behind.touch()
    where = Where(cluster.address, 2, "auto")
    share(work, range(4), where, begun=begun.append, ended=ended.__setitem__, lost=lost.append)
    assert ended == {0: 0, 2: 4, 3: 9} and lost == [1] and sorted(begun) == [0, 1, 1, 1, 2, 3]
    assert not left_behind.exists()

    def fail(item: int) -> None:
        raise DataError("The disk of /data is full; free some.")

    with pytest.raises(DataError, match=r"^The disk of /data is full; free some\.$"):
        share(fail, range(4), where, begun=begun.append, ended=ended.__setitem__, lost=lost.append)


def test_a_batch_whose_worker_is_killed_is_whole_and_each_file_is_told_once(
    cluster: Cluster, s3: Any, package: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    for i in range(FILES):
        soundfile.write(tmp_path / f"in/song {i}.wav", sound(i, RATE, 1, RATE), RATE)
    (tmp_path / "in/bad.wav").write_bytes(b"nothing")
    words = [f"model={package}", "steps=20", "chunk_s=0.5", "overlap_s=0.1"]
    torch.set_num_threads(1)
    with pytest.raises(SystemExit):
        main(["enhance", f"input={tmp_path}/in", *words, f"output={tmp_path}/local"])
    wanted, said, place = files(tmp_path / "local"), tmp_path / "said", uuid.uuid4().hex
    output = f"{place}/out"
    words += [f"output=s3://{BUCKET}/{output}", f"manifest=s3://{BUCKET}/{place}/run.json"]
    machine = second_machine(cluster)
    running = start(cluster, ["enhance", upload(s3, tmp_path / "in", f"{place}/in"), *words], said)
    with in_the_middle(cluster, lambda: any(name[0] != "." for name in contents(s3, output)), running, said):
        workers(machine)[0].kill()
        half = stored(s3, output)
        assert half == {name: wanted[name] for name in half}  # whole or absent
    assert running.wait(ENDS_WITHIN_S) == 1
    text = said.read_text()
    assert "A worker of the cluster has ended; another takes its place" in text
    assert text.count("Skipped: ") == 1 and "1 of 5 files could not be enhanced" in text and "bad.wav" in text
    assert text.count(" -> ") == FILES
    assert stored(s3, output) == wanted
    lines = journal_at(shared(f"s3://{BUCKET}/{output}") / NAME).read()
    finished = Counter(line["output"] for line in lines if "source" in line)
    assert finished == Counter([*wanted]) == Counter(f"song {i}.flac" for i in range(FILES))
    manifest = json.loads(s3.get_object(Bucket=BUCKET, Key=f"{place}/run.json")["Body"].read())
    assert Counter(entry["status"] for entry in manifest["files"]) == {"done": FILES, "failed": 1}


def test_a_preparation_whose_machine_is_killed_makes_the_same_bytes_and_nothing_twice(
    cluster: Cluster, s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_recordings(tmp_path / "recordings", 8, 1.5)
    words = [*PREPARE[3:-1]]
    monkeypatch.setattr(prepare, "run_parts", lambda work, parts, workers: [work(part) for part in parts])
    local = [*words, f"data.path={folder}", f"output={tmp_path}/local"]
    prepare.run(configured(PREPARE_COMMAND, read(PREPARE_COMMAND, local)))
    said, place, machine = tmp_path / "said", uuid.uuid4().hex, second_machine(cluster)
    words += [f"data.path={upload(s3, folder, f'{place}/in')}", f"output=s3://{BUCKET}/{place}/out"]
    running, done = start(cluster, ["prepare", *words], said), f"{place}/out/job/done"
    with in_the_middle(cluster, lambda: contents(s3, done), running, said):
        before = written(s3, done)
        workers(machine)[0].kill()  # by itself it would go on for a moment
        cluster.remove_node(machine, allow_graceful=False)
    assert running.wait(ENDS_WITHIN_S) == 0, said.read_text()
    assert "A worker of the cluster has ended; another takes its place" in said.read_text()
    assert {name: written(s3, done)[name] for name in before} == before
    assert of_training(stored(s3, f"{place}/out")) == of_training(files(tmp_path / "local"))


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
