"""Work shared out over the machines of a Ray cluster, each of whose workers keeps what it has loaded.

A worker, or a machine with its workers, may die at any time: what it was doing is given to another, and a new worker is
asked for. Ray's own retries are not used, since they wait for the same worker, which a machine that is gone takes with
it, and are used up before the cluster knows that it is gone.
"""

from __future__ import annotations

import logging
import socket
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from omegaconf import DictConfig

from saga_sr.core.atomic_file import remove_left_behind
from saga_sr.core.errors import ConfigError, SagaError
from saga_sr.core.version import __version__

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
# An item whose worker has ended so often is given up, and so is a cluster whose workers end so often when they start.
ATTEMPTS = 3
# An address where nobody is.
ANSWERS_WITHIN_S = 10
LOCAL, RAY = "local", "ray"


@dataclass(frozen=True)
class Cluster:
    """Where work is done.

    Attributes:
        address: as `ray.init` takes it: auto, HOST:PORT of a machine's cluster, or local for one on this machine alone.
        workers: how many; None is one for each GPU of the cluster, or for each core.
        device: auto, cpu or cuda; each worker has a GPU of its own unless it is cpu or there is none.

    Raises:
        ConfigError: a device that is not possible.
    """

    address: str
    workers: int | None
    device: str

    def __post_init__(self) -> None:
        if self.device not in ("auto", "cpu", "cuda"):
            raise ConfigError(
                f"device={self.device} is not possible with engine={RAY}, which gives each worker a GPU of its own; "
                "choose auto, cpu or cuda."
            )


def is_on_cluster(config: DictConfig) -> bool:
    """Whether `config.engine` says that files are done on a cluster.

    Raises:
        ConfigError: it says something else.
    """
    if config.engine not in (LOCAL, RAY):
        raise ConfigError(f"engine={config.engine!r} is not known; choose {LOCAL} or {RAY}.")
    return bool(config.engine == RAY)


def check_count(name: str, count: object) -> None:
    """See whether the setting `name` can be `count`, a number of processes, or None for as many as there is room for.

    Raises:
        ConfigError: it cannot.
    """
    if count is not None and not (isinstance(count, int) and count >= 1):
        raise ConfigError(f"{name}={count} is not possible; give the number of processes that share the work.")


class SagaWorker(Generic[Item]):
    """A process of the cluster that does one item after the other, as the dashboard shows it."""

    def __init__(self, work: Callable[[Item], Any]) -> None:
        self.work = work
        # Of workers that were killed on this machine.
        remove_left_behind(Path(tempfile.gettempdir()))

    def version(self) -> str:
        """Of saga-sr on its machine."""
        return __version__

    def do(self, item: Item) -> Any:
        """Do `item`."""
        return self.work(item)


def share(
    work: Callable[[Item], Any],
    items: Sequence[Item],
    cluster: Cluster,
    begun: Callable[[Item], object],
    ended: Callable[[Item, Any], object],
    lost: Callable[[Item], object],
) -> None:
    """Do `items` on a cluster, each once unless its worker dies.

    Args:
        work: what is done with an item, in a worker's process; it is copied there, and must be able to be pickled.
        begun: called with an item when a worker is given it, again when another is.
        ended: called with an item that is done and what came of it.
        lost: called with an item that is given up, since each of its workers has died.

    Raises:
        SagaError: what `work` or one of the calls raises, which ends it; no cluster, or one that cannot be used.
    """
    with _connected(cluster.address):
        pool = _Pool(work, cluster)
        pool.start(min(len(items), cluster.workers or pool.slots))
        waiting = deque((item, 1) for item in items)
        while waiting or pool.at_work:
            while waiting and pool.idle:
                item, attempt = waiting.popleft()
                begun(item)
                pool.give(item, attempt)
            said = pool.hear()
            if said is None:
                continue
            item, attempt, result = said
            if not isinstance(result, _Died):
                ended(item, result)
            elif attempt < ATTEMPTS:
                waiting.appendleft((item, attempt + 1))
            else:
                lost(item)


class _Died:
    """What came of an item whose worker has died."""


class _Pool(Generic[Item]):
    """Workers of a cluster, most of them at work.

    Attributes:
        slots: how many workers the cluster has room for.
        idle: those that have nothing to do.
    """

    def __init__(self, work: Callable[[Item], Any], cluster: Cluster) -> None:
        import ray

        resources = ray.cluster_resources()
        gpus = 0 if cluster.device == "cpu" else int(resources.get("GPU", 0))
        self.slots = max(1, gpus or int(resources.get("CPU", 0)))
        # A worker's work is copied to the cluster once, not with each worker.
        self._work = ray.put(work)
        self._kind: Any = ray.remote(num_cpus=1, num_gpus=min(gpus, 1))(SagaWorker)
        self.idle: list[Any] = []
        # Workers by what is awaited of them, with the item and which attempt at it that is; neither while they start.
        self._busy: dict[Any, tuple[Any, tuple[Item, int] | None]] = {}
        self._dead_at_start = 0

    @property
    def at_work(self) -> bool:
        """Whether any worker has an item."""
        return any(task is not None for _, task in self._busy.values())

    def start(self, count: int) -> None:
        """Ask for `count` workers, each of which is there once the cluster has room for it."""
        for _ in range(count):
            worker = self._kind.remote(self._work)
            self._busy[worker.version.remote()] = worker, None

    def give(self, item: Item, attempt: int) -> None:
        """Have an idle worker do `item`."""
        worker = self.idle.pop()
        self._busy[worker.do.remote(item)] = worker, (item, attempt)

    def hear(self) -> tuple[Item, int, Any] | None:
        """Wait until a worker says something: of an item, that, the attempt and what came of it; or that it is there.

        Raises:
            SagaError: what the work raised, or workers that cannot be used.
        """
        import ray
        from ray.exceptions import RayError, RayTaskError

        (said,), _ = ray.wait([*self._busy], num_returns=1)
        worker, task = self._busy.pop(said)
        try:
            result = ray.get(said)
        except RayTaskError as error:
            if isinstance(error.cause, SagaError):
                raise error.cause from None
            raise
        except RayError as error:
            ray.kill(worker)  # it may be alive, but out of reach
            self._bury(task is None, error)
            result = _Died()
        else:
            if task is None:
                self._check_version(result)
            self._dead_at_start = 0
            self.idle.append(worker)
        return None if task is None else (*task, result)

    def _bury(self, at_start: bool, error: Exception) -> None:
        """Ask for another worker in the place of one that has died.

        Raises:
            ConfigError: too many have died when they started.
        """
        why = (str(error).splitlines() or [""])[-1].strip()
        self._dead_at_start += at_start
        if self._dead_at_start > ATTEMPTS * self.slots:
            raise ConfigError(
                f"Workers of the cluster cannot be started ({why}); install the same saga-sr on all of its machines."
            ) from error
        logger.warning("A worker of the cluster has ended; another takes its place (%s).", why)
        self.start(1)

    def _check_version(self, version: str) -> None:
        if version != __version__:
            raise ConfigError(
                f"The cluster has saga-sr {version}, and this is {__version__}; install the same on all machines."
            )


@contextmanager
def _connected(address: str) -> Iterator[None]:
    """Be part of the cluster at `address` for a while.

    Raises:
        ConfigError: there is none.
    """
    import ray

    host, _, port = address.rpartition(":")
    try:
        if port.isdecimal():
            socket.create_connection((host, int(port)), ANSWERS_WITHIN_S).close()  # Ray would try for minutes
        ray.init(address=address, logging_level=logging.WARNING)
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"The Ray cluster at address={address} cannot be used ({(str(error).splitlines() or [''])[0]}); start one "
            "with ray start --head, or give address=local."
        ) from error
    try:
        yield
    finally:
        ray.shutdown()
