"""What torchrun does, with ranks that are forks of its process: importing takes most of the time of a rank of a test.

`elastic.py MACHINES ADDRESS WORDS ...` is one of so many machines with two ranks each that do `saga-sr WORDS ...`; they
may be started again once.
"""

from __future__ import annotations

import sys

from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from saga_sr.cli.main import main

if __name__ == "__main__":
    machines = int(sys.argv[1])
    config = LaunchConfig(
        min_nodes=machines, max_nodes=machines, nproc_per_node=2, max_restarts=1, monitor_interval=0.1,
        run_id="elastic", rdzv_backend="c10d", rdzv_endpoint=sys.argv[2], start_method="fork",
    )  # fmt: skip
    elastic_launch(config, main)(sys.argv[3:])
