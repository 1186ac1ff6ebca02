"""Look at the installation: `saga-sr doctor` says what is there, what is wrong, and how it is mended."""

from __future__ import annotations

from omegaconf import DictConfig

from saga_sr.cli.command import Command, execute, in_order
from saga_sr.core.errors import SagaError
from saga_sr.inspection.installation import Finding, findings

COMMAND = Command("doctor", "doctor", "", in_order())


def work(config: DictConfig) -> None:
    """Print what is found.

    Raises:
        SagaError: something is wrong.
    """
    troubles = []
    for finding in findings():
        show(finding)
        troubles += [finding.trouble] if finding.trouble else []
    if config.self_test:
        tested = self_test(config.device)
        show(tested)
        troubles += [tested.trouble] if tested.trouble else []
    if troubles:
        raise SagaError(f"{len(troubles)} of this is wrong. {' '.join(troubles)}")
    print("\nNothing is wrong.")


def show(finding: Finding) -> None:
    """Print a line as soon as it is known."""
    print(f"{'!!' if finding.trouble else '  '} {finding.name:16} {finding.value}", flush=True)


def self_test(device: str) -> Finding:
    """Whether a file can be enhanced."""
    try:
        from saga_sr.inference.self_test import try_enhancing

        return Finding("self-test", try_enhancing(device))
    except (SagaError, RuntimeError, OSError, ImportError) as error:
        mend = "try device=cpu, and report it with these lines."
        return Finding("self-test", "failed", f"The self-test failed ({str(error).rstrip('.')}); {mend}")


def run(words: list[str]) -> None:
    """Answer the command line."""
    execute(COMMAND, words, work)
