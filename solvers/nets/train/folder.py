"""The folder of a training run: one writer at a time, and a clear word when it cannot be written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from harness.errors import UserError


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Be the one training that writes this folder, or say that another is. Of processes that torchrun started
    the first locks for all. A lock ends with its process, however that ends.
    """
    if int(os.environ.get("RANK", "0")):
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=0)
        lock.acquire()
    except Timeout:
        raise UserError(
            f"Another training is writing {folder}.",
            rule="A folder has one writer at a time.",
            next_step="Wait for it, stop it, or give another --out.",
        ) from None
    except (OSError, NotImplementedError) as error:
        raise cannot_write(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def begin_anew(folder: Path) -> None:
    """Delete what an earlier run would go on from; its weights stay until new ones replace them."""
    try:
        for pattern in ("checkpoint*.safetensors", "metrics.jsonl", "tensorboard/events*"):
            for old in folder.glob(pattern):
                old.unlink()
    except OSError as error:
        raise cannot_write(folder, error) from error


@contextmanager
def writing(path: Path, keep: Callable[[], None]) -> Iterator[None]:
    """Write a file of the run; where that fails, `keep` what was trained so far and say so."""
    try:
        yield
    except OSError as error:
        with contextlib.suppress(UserError):  # the checkpoint before it is whole
            keep()
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: Exception) -> UserError:
    """Return what to say of a file that cannot be written: a full disk, missing rights."""
    return UserError(
        f"{path} cannot be written ({error}).",
        rule="The last checkpoint, if there is one, is whole.",
        next_step="Make room or mend the rights and give the same command again, or give another --out.",
    )
