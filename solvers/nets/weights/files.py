"""Trained weights: one safetensors file that holds the tensors, the net's configuration and the record of
its training.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from harness.contracts import Parameters
from harness.errors import UserError, did_you_mean
from solvers.nets.model.recursive import RecursiveNet
from solvers.nets.weights.ids import IdTable
from solvers.nets.weights.member import Member, config_of

FORMAT = "depthbench-net-1"
SHIPPED = Path(__file__).parent
"""Weights trained by this project: <solver>-<family of the task>.safetensors."""


def build(net: str, fields: Mapping[str, Any], given: type[Member] | None = None) -> Any:
    """Return a freshly initialised net from its configuration fields; unknown fields are refused."""
    make, kind = config_of(net, given)
    known = {f.name for f in dataclasses.fields(kind)}
    for name in fields:
        if name not in known:
            raise UserError(
                f"A {net} net has no configuration field {name!r}.", rule=did_you_mean(name, known)
            )
    return make(**fields).build()


def save_atomically(
    tensors: dict[str, Tensor], path: Path, metadata: dict[str, str], ready: Callable[[], None] = lambda: None
) -> None:
    """Write a safetensors file so that at any moment either the old or the new one is whole under `path`;
    raises OSError.

    `ready` is called when the new one is written and not yet in place.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.touch()
    rights = part.stat().st_mode  # as the umask gives them; safetensors' own file is for its owner alone
    try:
        try:
            save_file({k: t.detach().cpu().contiguous() for k, t in tensors.items()}, part, metadata)
        except SafetensorError as error:  # its word for a folder that cannot be written and for a full disk
            raise OSError(str(error)) from error
        part.chmod(rights)
        with open(part, "rb") as handle:
            os.fsync(handle.fileno())
    except BaseException:
        part.unlink(missing_ok=True)  # half a file helps nobody, least of all on a full disk
        raise
    ready()
    part.replace(path)


def save(
    path: Path,
    *,
    net_name: str,
    net: RecursiveNet,
    state: Mapping[str, Tensor],
    record: Mapping[str, Any],
    dtype: torch.dtype,
) -> None:
    """Write weights in `dtype` with configuration and training record (JSON values)."""
    metadata = {
        "format": FORMAT,
        "net": net_name,
        "config": json.dumps(dataclasses.asdict(net.config)),
        "training": json.dumps(dict(record)),
    }
    save_atomically({k: t.to(dtype) for k, t in state.items()}, path, metadata)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Loaded:
    """A net with what its file says about it; of puzzle ids the training record keeps the summary, `table`
    the whole.
    """

    name: str
    net: RecursiveNet
    training: dict[str, Any]
    sha256: str
    path: Path
    table: IdTable | None = None

    @property
    def parameters(self) -> Parameters:
        return count_parameters(self.net)

    def at_length(self, cells: int) -> Loaded:
        """Return the same net for a canvas of so many cells, where no weight belongs to a cell; else itself.

        Rotary positions are computed, so a net with these alone plays any canvas, longer than in training
        included.
        """
        config = self.net.config
        if config.seq_len == cells or not config.any_length:
            return self
        net = dataclasses.replace(config, seq_len=cells).build()
        net.load_state_dict(self.net.state_dict())
        net.eval()
        return dataclasses.replace(self, net=net)


DAMAGE = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""What reading metadata raises that somebody, or a disk, has changed."""


def load(path: Path, given: type[Member] | None = None) -> Loaded:
    """Read a weights file; a net in float32 on the CPU, in evaluation mode. given: as in `find_member`.

    Raises UserError for a missing, truncated or foreign file and names the first tensor that does not fit.
    """
    if path.is_dir():
        inside = sorted(p.name for p in path.glob("weights*.safetensors")) or sorted(
            p.name for p in path.glob("*.safetensors")
        )
        raise UserError(
            f"{path} is a folder.",
            rule=f"It holds {', '.join(inside[:5])}." if inside else "It holds no weights.",
            next_step="Name the file.",
        )
    if not path.is_file():
        raise UserError(
            f"No weights at {path}.", next_step="Check the path, or train some with `bench train`."
        )
    try:
        with safe_open(str(path), "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (a safe_open is no mapping)
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{path} is not a readable safetensors file ({error}).",
            next_step="Fetch or train the weights again.",
        ) from error
    if "progress" in metadata:
        raise UserError(
            f"{path} is the checkpoint of a training run, not its weights.",
            rule="Weights are written beside it at the end of the run, and on the way by --keep-every.",
            next_step="Give the same `bench train` command again to go on.",
        )
    if metadata.get("format") != FORMAT:
        raise UserError(
            f"{path} has format {metadata.get('format')!r}, not {FORMAT!r}.",
            next_step="A published checkpoint is converted by `bench weights import`.",
        )
    try:
        name, config, training = (
            metadata["net"],
            json.loads(metadata["config"]),
            json.loads(metadata["training"]),
        )
        net = config_of(name, given)[0](**_as_meant(config)).build()
        table = None
        if ids := training.get("puzzle_ids"):
            table = IdTable.from_record(ids)
            training["puzzle_ids"] = ids | {"groups": len(ids["groups"])}
    except DAMAGE as error:
        raise UserError(
            f"What {path} says of itself cannot be read ({type(error).__name__}: {error}).",
            rule="Its metadata hold the net's name, its configuration and its training as JSON.",
            next_step="Fetch or train the weights again.",
        ) from error
    check_fit(net, tensors, path)
    check_finite(tensors, path)
    net.load_state_dict({k: t.float() for k, t in tensors.items()})
    net.eval()
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return Loaded(name=name, net=net, training=training, sha256=digest, path=path, table=table)


def _as_meant(fields: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration as the version meant it that wrote it; a field younger than the file has the
    net's default.
    """
    if "single_z" in fields and "inject" not in fields:  # of our own nets, written before 2026-11-23
        if fields["single_z"]:
            fields["inject"] = "always"
        if fields["puzzle_emb_len"] == 0:
            fields["puzzle_emb_ndim"] = 0
    return fields


MAY_DIFFER = {
    "H_cycles",
    "L_cycles",
    "gradient",
    "halt_max_steps",
    "halt_exploration_prob",
    "no_ACT_continue",
}
"""Fields of a configuration that say how a net is run and trained, not which function its weights are."""


def begin_with(start: Loaded, name: str, net: RecursiveNet, about: dict[str, Any]) -> dict[str, Any]:
    """Load starting weights into a net; return `about` with what is known of them. Raises UserError if
    they mean another net.
    """
    check_fit(net, start.net.state_dict(), start.path)
    theirs, ours = (
        {"net": n} | dataclasses.asdict(m.config) for n, m in ((start.name, start.net), (name, net))
    )
    if differs := sorted(
        k for k in theirs.keys() | ours.keys() if k not in MAY_DIFFER and theirs.get(k) != ours.get(k)
    ):
        raise UserError(
            f"{start.path} holds another net: {differs[0]} is {theirs.get(differs[0])!r}, not "
            f"{ours.get(differs[0])!r}.",
            rule=f"Only these may differ: {', '.join(sorted(MAY_DIFFER))}.",
        )
    ids = about.get("puzzle_ids")
    if (None if ids is None else IdTable.from_record(ids)) != start.table:
        raise UserError(
            f"The puzzle ids of {start.path} are not those of this training.",
            rule=(
                "Rows of the puzzle table keep their meaning only with the same groups, copies and data seed."
            ),
        )
    net.load_state_dict(start.net.state_dict())
    return about | {"started_from": {"sha256": start.sha256, "training": start.training}}


def check_fit(net: nn.Module, tensors: Mapping[str, Tensor], source: Path) -> None:
    """Raise UserError naming the first tensor that is missing, unknown or of another shape."""
    wanted = net.state_dict()
    for name, tensor in wanted.items():
        if name not in tensors:
            raise UserError(
                f"{source} has no tensor {name!r}.",
                rule=f"The net needs it with shape {tuple(tensor.shape)}.",
            )
        if tensors[name].shape != tensor.shape:
            raise UserError(
                f"Tensor {name!r} in {source} has shape {tuple(tensors[name].shape)}.",
                rule=f"This configuration needs {tuple(tensor.shape)}.",
                next_step="Check the sizes in the configuration.",
            )
    extra = sorted(set(tensors) - set(wanted))
    if extra:
        raise UserError(
            f"{source} has a tensor {extra[0]!r} the net does not know.",
            rule=f"{len(extra)} such tensors in all.",
        )


def check_finite(tensors: Mapping[str, Tensor], source: Path) -> None:
    """Raise UserError naming the first tensor with an element that is no number, or infinite."""
    for name, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            bad = int((~tensor.isfinite()).sum())
            raise UserError(
                f"Tensor {name!r} in {source} holds NaN or infinity in {bad:,} of {tensor.numel():,} places.",
                rule="A net with such weights answers nothing.",
                next_step="Take an earlier checkpoint of that training.",
            )


def count_parameters(net: nn.Module) -> Parameters:
    """Return the ledger: what every pass re-uses, token embedding with output head, puzzle-id rows, stored
    and active sums.
    """
    embedding = per_puzzle = core = other = training = 0
    rows = 0
    for name, tensor in net.state_dict().items():
        if "puzzle_emb" in name:
            per_puzzle += tensor.numel()
            rows = tensor.shape[0]
        elif name.startswith(("embedding.", "lm_head.")):
            embedding += tensor.numel()
        elif name.endswith("_init"):
            other += tensor.numel()
        elif name.startswith("posterior."):  # sees the answer: used in training alone
            training += tensor.numel()
        else:
            core += tensor.numel()
    stored = core + embedding + per_puzzle + other + training
    active = core + embedding + other + (per_puzzle // rows if rows else 0)
    return Parameters(core=core, embedding=embedding, per_puzzle=per_puzzle, stored=stored, active=active)


def describe(path: Path, given: type[Member] | None = None) -> dict[str, Any]:
    """Return what a weights file says, flat: the parameter ledger, the configuration, the training record."""
    loaded = load(path, given)
    ledger = {k: v for k, v in dataclasses.asdict(loaded.parameters).items() if v is not None}
    facts = {"net": loaded.name, "sha256": loaded.sha256}
    facts |= {f"parameters.{k}": v for k, v in ledger.items()}
    return facts | flat({"config": dataclasses.asdict(loaded.net.config), "training": loaded.training})


def flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested dicts as one, keys joined by dots; an empty one stays a value."""
    found: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, Mapping) and value:
            found |= {f"{name}.{inner}": leaf for inner, leaf in flat(value).items()}
        else:
            found[name] = value
    return found
