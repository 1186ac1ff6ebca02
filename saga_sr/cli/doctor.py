"""Look at the installation: `saga-sr doctor` says what is there, what is wrong, and how it is mended.

What it cannot go without, of others', is not imported here: it tells whatever is broken.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from saga_sr.cli.calling import Command, in_order
from saga_sr.core.errors import SagaError
from saga_sr.inspection.dependencies import Finding, in_a_line, reason_and_mend
from saga_sr.inspection.installation import findings

if TYPE_CHECKING:
    from omegaconf import DictConfig

COMMAND = Command("doctor", "doctor", "", in_order())


def work(config: DictConfig) -> None:
    """Print what is found.

    Raises:
        SagaError: something is wrong.
    """
    troubles = told(findings())
    if config.self_test:
        failed = told([self_test(config.device)])
        # What else is wrong is most likely why it fails.
        troubles = troubles or failed
    refuse(troubles)
    print("\nNothing is wrong.")


def refuse(troubles: list[str]) -> None:
    """Say what is wrong, if anything is.

    Raises:
        SagaError: something is.
    """
    if troubles:
        raise SagaError(f"{len(troubles)} of this is wrong. {' '.join(troubles)}")


def told(found: Iterable[Finding]) -> list[str]:
    """Print a line each as soon as it is known; what is wrong."""
    troubles = []
    for finding in found:
        print(f"{'!!' if finding.trouble else '  '} {finding.name:16} {finding.value}", flush=True)
        troubles += [finding.trouble] if finding.trouble else []
    return troubles


def self_test(device: str) -> Finding:
    """Whether a file can be enhanced."""
    try:
        from saga_sr.inference.self_test import try_enhancing

        return Finding("self-test", try_enhancing(device))
    except Exception as error:  # of a broken installation: anything
        mend = "try device=cpu, and report it with these lines."
        return Finding("self-test", "failed", f"The self-test failed ({in_a_line(error)}); {mend}")


def run(words: list[str]) -> None:
    """Answer the command line.

    Raises:
        SagaError: something is wrong, be it that command lines cannot be read.
    """
    try:
        from saga_sr.cli.command import execute
    except Exception as error:  # of a broken package: anything
        refuse(told(findings()) or [f"Command lines cannot be read {reason_and_mend(error)}"])
    else:
        execute(COMMAND, words, work)
