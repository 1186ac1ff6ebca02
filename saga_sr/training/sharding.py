"""Training whose weights, gradients, moments and average are shared out over the processes (FSDP2), and its
checkpoints, which are written in parts while training goes on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn
from torch.distributed import ProcessGroup, new_group
from torch.distributed.checkpoint import StorageWriter, async_save
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer

from saga_sr.core.errors import ConfigError
from saga_sr.core.sharded_checkpoint import REST, split
from saga_sr.model import SuperResolver


class Sharded(DDPStrategy):
    """Each process holds one part of everything that is trained, and gathers a block's weights while it computes it.

    Args:
        asynchronous: whether training goes on while a checkpoint, copied by then, is written.
        timeout: after which a rank gives up whose partner is gone.

    Raises:
        ConfigError: a PyTorch that cannot write such checkpoints.
    """

    def __init__(self, asynchronous: bool = True, timeout: timedelta = timedelta(minutes=30)) -> None:
        super().__init__(timeout=timeout)
        storage_writer(Path())  # or nobody would know before the first checkpoint
        self.asynchronous = asynchronous
        self.mesh: DeviceMesh | None = None
        # Of its own, since what is written in the background also communicates.
        self.saving_group: ProcessGroup | None = None
        self.saving: Future[Any] | None = None

    def setup_environment(self) -> None:
        super().setup_environment()
        self.mesh = init_device_mesh(self.root_device.type, (self.world_size,))
        self.saving_group = new_group(backend="gloo")

    def configure_ddp(self) -> None:
        """Shard the module where DDP would wrap it; weights have been loaded by then."""
        assert self.lightning_module is not None
        self.shard(self.lightning_module)

    def shard(self, module: nn.Module) -> None:
        """Share out what is trained of the model of a `FlowMatchingModule`, block by block."""
        model = module.model
        assert isinstance(model, SuperResolver)
        blocks = getattr(model.backbone, "blocks", ())
        conditions = [one for one in model.conditioner.conditions.values() if any(True for _ in one.parameters())]
        for unit in (*blocks, model.backbone, *conditions):
            fully_shard(unit, mesh=self.mesh, reshard_after_forward=True)
        for block in blocks:
            if hasattr(block, "keys_values"):
                register_fsdp_forward_method(block, "keys_values")

    def save_checkpoint(
        self, checkpoint: dict[str, Any], filepath: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Begin to write `checkpoint` into a folder aside, which is renamed to `filepath` once it is whole."""
        self.finish_saving()
        path = Path(self.broadcast(str(filepath)))
        aside = path.with_name(f".{path.name}.part")
        tensors, rest = split(checkpoint)
        if self.is_global_zero:
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir(parents=True)
            with (aside / REST).open("wb") as file:
                torch.save(rest, file)
                file.flush()
                os.fsync(file.fileno())
        self.barrier()
        written = async_save(
            tensors,
            storage_writer=storage_writer(aside),
            process_group=self.saving_group,
        )
        placed: Future[None] = Future()
        self.saving = placed

        def place(done: Future[Any]) -> None:
            try:
                done.result()
                if self.is_global_zero:
                    put_in_place(aside, path)
                placed.set_result(None)
            except BaseException as error:
                placed.set_exception(error)

        assert isinstance(written, Future)
        written.add_done_callback(place)
        if not self.asynchronous:
            self.finish_saving()

    def finish_saving(self) -> None:
        """Wait until the checkpoint that is being written is in its place.

        Raises:
            OSError: it cannot be written.
        """
        saving, self.saving = self.saving, None
        if saving is not None:
            saving.result()

    def remove_checkpoint(self, filepath: str | Path) -> None:
        """Remove an old checkpoint, but not before a newer one is in its place."""
        if self.saving is None:
            super().remove_checkpoint(filepath)
        else:
            self.saving.add_done_callback(lambda _: super(Sharded, self).remove_checkpoint(filepath))

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        """Take this process's parts of the moments in `checkpoint`."""
        for optimizer, state in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            parameters = dict(zip(_of_groups(state), _of_groups(optimizer), strict=True))
            own = {
                index: {name: _part(value, parameters[index]) for name, value in moments.items()}
                for index, moments in state["state"].items()
            }
            optimizer.load_state_dict(state | {"state": own})

    def teardown(self) -> None:
        self.finish_saving()
        super().teardown()


def storage_writer(folder: Path) -> StorageWriter:
    """What writes each process's part into `folder`, as safetensors.

    Raises:
        ConfigError: a PyTorch that has no such writer.
    """
    try:
        from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter

        return HuggingFaceStorageWriter(str(folder), save_distributed=True)
    except (ImportError, TypeError):
        raise ConfigError(
            f"trainer=fsdp cannot write its checkpoints with PyTorch {torch.__version__}; update torch to 2.9 or later."
        ) from None


def put_in_place(aside: Path, path: Path) -> None:
    """Rename the whole folder `aside` to `path`; one that is there, of the same step, goes."""
    shutil.rmtree(path, ignore_errors=True)
    aside.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def gathered(module: nn.Module) -> Iterator[None]:
    """With the weights of `module` whole on each process, if they are shared out: for many evaluations in a row."""
    units = [unit for unit in module.modules() if isinstance(unit, FSDPModule)]
    for unit in units:
        unit.set_reshard_after_forward(False, recurse=False)
        unit.unshard()
    try:
        yield
    finally:
        for unit in units:
            unit.reshard()
            unit.set_reshard_after_forward(True, recurse=False)


def whole(tensor: Tensor) -> Tensor:
    """`tensor`, put together if it is shared out; all processes have to ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def own_part(tensor: Tensor) -> Tensor:
    """What this process holds of `tensor`, all of it if it is not shared out."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def _of_groups(optimizer: Optimizer | dict[str, Any]) -> list[Any]:
    groups = optimizer["param_groups"] if isinstance(optimizer, dict) else optimizer.param_groups
    return [parameter for group in groups for parameter in group["params"]]


def _part(value: Any, parameter: Tensor) -> Any:
    if isinstance(value, Tensor) and isinstance(parameter, DTensor) and value.shape == parameter.shape:
        return distribute_tensor(value.to(parameter.device), parameter.device_mesh, parameter.placements)
    return value
