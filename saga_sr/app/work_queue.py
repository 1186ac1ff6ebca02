"""The queue of what needs the model: one thing at a time, users in turn, each knowing their place."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Made = TypeVar("Made")

logger = logging.getLogger(__name__)


class Ticket:
    """Something that waits, runs or is done.

    Attributes:
        owner: whose it is.
        ended: set once it is done or withdrawn.
    """

    def __init__(self, owner: str, work: Callable[[], None]) -> None:
        self.owner, self.work = owner, work
        self.ended = threading.Event()


class WorkQueue:
    """Does one ticket after the other in a thread of its own.

    Owners take turns, so that one with a hundred recordings does not keep all others waiting.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: OrderedDict[str, deque[Ticket]] = OrderedDict()
        self._running: Ticket | None = None
        threading.Thread(target=self._work, name="work-queue", daemon=True).start()

    def add(self, owner: str, work: Callable[[], None]) -> Ticket:
        """Put `work` behind what else `owner` has."""
        ticket = Ticket(owner, work)
        with self._changed:
            self._waiting.setdefault(owner, deque()).append(ticket)
            self._changed.notify()
        return ticket

    def do(self, owner: str, work: Callable[[], Made]) -> Made:
        """What `work` gives, once it has been its turn; whatever it raises is raised."""
        given: Future[Made] = Future()

        def into() -> None:
            try:
                given.set_result(work())
            except BaseException as error:
                given.set_exception(error)

        self.add(owner, into)
        return given.result()

    def withdraw(self, ticket: Ticket) -> bool:
        """Take `ticket` out, if it has not begun; whether that was so."""
        with self._changed:
            waiting = self._waiting.get(ticket.owner, deque())
            if ticket not in waiting:
                return False
            waiting.remove(ticket)
            if not waiting:
                del self._waiting[ticket.owner]
        ticket.ended.set()
        return True

    def place(self, ticket: Ticket) -> int:
        """How many others come before `ticket`; 0 if it runs, or is done."""
        with self._changed:
            own = self._waiting.get(ticket.owner, deque())
            if ticket not in own:
                return 0
            turn, owners = own.index(ticket), [*self._waiting]
            before = owners.index(ticket.owner)
            others = [
                min(len(self._waiting[owner]), turn + (i < before))
                for i, owner in enumerate(owners)
                if owner != ticket.owner
            ]
            return turn + sum(others) + (self._running is not None)

    def _next(self) -> Ticket:
        with self._changed:
            self._running = None
            while not self._waiting:
                self._changed.wait()
            owner, waiting = self._waiting.popitem(last=False)
            self._running = waiting.popleft()
            if waiting:
                self._waiting[owner] = waiting  # behind all others
            return self._running

    def _work(self) -> None:
        while True:
            ticket = self._next()
            try:
                ticket.work()
            except Exception:
                logger.exception("An error of the program; please report it, with what is above.")
            finally:
                ticket.ended.set()
