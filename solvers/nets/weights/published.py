"""Read checkpoints of the published TRM and HRM code: names mapped, sizes inferred, nothing executed."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from harness.errors import UserError, did_you_mean
from harness.options import read
from harness.records.decode import shown
from harness.records.jsonlines import loads
from solvers.nets.model.config import TrmConfig
from solvers.nets.weights import files as weights
from solvers.nets.weights.checkpoints import read_checkpoint
from solvers.nets.weights.ids import IdTable
from solvers.nets.weights.member import config_of

CONFIGURATION = "all_config.yaml"
"""What the published training code writes into the folder of its checkpoints: all settings of the run, the
net's under `arch`.
"""

UNUSED = ("name", "loss", "causal", "batch_size", "forward_dtype")
"""Fields of the published configuration that decide nothing here."""

PUBLISHED_WIDTH = 512
"""Of the published nets: what their defaults are known to hold for."""

COPY = re.compile(r"^(?P<task>.+?)(?P<sep>\|\|\||_)(?P<symmetry>t\d+)(?P=sep)(?P<colours>\d+)$")
"""A copy's identifier: task|||t3|||0241356789 as TRM's builder writes it, task_t3_0241356789 as HRM's
(symmetry, what the colours 0, 1, 2, … become).
"""


def import_checkpoint(
    net: str,
    checkpoint: Path,
    out: Path,
    options: Mapping[str, str],
    identifiers: Path | None = None,
    about: Mapping[str, Any] | None = None,
) -> list[str]:
    """Convert a published checkpoint to a weights file; return what to tell of it, a sentence each.

    net: "trm" or "hrm". What the tensors tell is inferred, and a contradiction is refused. The rest (number
    of heads, cycles, steps, prefix, sequence length with rotary positions) comes from options, fields of the
    published configuration; then from the all_config.yaml that the published training code writes beside its
    checkpoints; then from the published defaults, which are named in what is returned and in the record.
    Where a checkpoint holds averaged weights too, those are taken. identifiers: the identifiers.json of the
    data set, which says what the rows of the puzzle table mean. about: what is known of its training, for the
    record.
    """
    tensors, notes = read_checkpoint(checkpoint)
    single = "H_init" not in tensors and "L_init" in tensors
    if single:  # the published single-z net keeps its one latent under the name of z_L
        tensors["H_init"] = tensors["L_init"].clone()
    fields, assumed, told = _fields(net, tensors, options, single, checkpoint)
    module = weights.build(net, fields)
    weights.check_fit(module, tensors, checkpoint)
    record: dict[str, Any] = {"source": f"imported from {checkpoint.name}", "regime": "unknown: imported"}
    record |= about or {}
    if assumed:
        record["assumed"] = assumed
        values = ", ".join(f"{name}={value}" for name, value in assumed.items())
        notes.append(
            f"Assumed, as published: {values}. Give -C FIELD=VALUE where the checkpoint is of another net."
        )
    notes += told
    if identifiers is not None:
        table = read_identifiers(identifiers)
        if table.size != module.config.num_puzzle_identifiers:
            raise UserError(
                f"{identifiers} lists {table.size:,} ids.",
                rule=f"The puzzle table of {checkpoint} has {module.config.num_puzzle_identifiers:,} rows.",
                next_step="Give the identifiers.json of the data set that the checkpoint was trained on.",
            )
        record["exposure"] = (
            f"Trained on pairs of {len(table.copies):,} tasks under ids of their own; which pairs is unknown."
        )
        record["puzzle_ids"] = table.record()
    try:
        weights.save(out, net_name=net, net=module, state=tensors, record=record, dtype=torch.float32)
    except OSError as error:
        raise UserError(
            f"{out} cannot be written ({error}).",
            rule=f"It takes {4 * sum(t.numel() for t in tensors.values()) / 1e6:,.1f} MB.",
            next_step="Make room or mend the rights, or name another file.",
        ) from error
    return notes


def read_identifiers(path: Path) -> IdTable:
    """Read an identifiers.json: the blank id, then the ids of each task's copies together, the plain one
    first.
    """
    try:
        names = loads(path.read_bytes())
        if type(names) is not list or not set(map(type, names)) <= {str}:
            raise ValueError(f"it holds {shown(names)}")
        rows: dict[str, list[str]] = {}
        last = None
        for identifier in names[1:]:
            copy = COPY.match(identifier)
            name = copy["task"] if copy else identifier
            if (name != last) == (name in rows) or bool(copy) == (name not in rows) or "|||" in name:
                raise ValueError(f"{identifier!r} stands where it cannot")
            last = name
            symmetry, colours = (copy["symmetry"], copy["colours"]) if copy else ("t0", "0123456789")
            if symmetry not in {f"t{number}" for number in range(8)} or sorted(colours) != list("0123456789"):
                raise ValueError(f"{identifier!r} names no copy")
            rows.setdefault(name, []).append(symmetry[1:] + colours)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} is no list of puzzle identifiers: {error}.", next_step="Fetch it again."
        ) from error
    return IdTable(
        seed=0,
        augmentations=max(map(len, rows.values()), default=1) - 1,
        copies={name: len(copies) for name, copies in rows.items()},
        digests={},
        listed={name: "".join(copies) for name, copies in rows.items()},
    )


def _fields(
    net: str, tensors: Mapping[str, Tensor], options: Mapping[str, str], single: bool, source: Path
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Return the fields of the configuration, those of them that nobody gave and no tensor tells, and what
    to tell the user.
    """
    hints = typing.get_type_hints(TrmConfig)
    given = {}
    for name, text in options.items():
        if name in hints:
            given[name] = read(text, hints[name], f"-C {name}")
        elif name not in UNUSED:
            raise UserError(f"The configuration has no field {name!r}.", rule=did_you_mean(name, hints))
    told = []
    if beside := read_configuration(source.parent / CONFIGURATION, net, hints):
        given = beside | given
        told.append(f"The configuration is that of {source.parent / CONFIGURATION}.")
    needed = "embedding.embed_tokens.embedding_weight"
    if needed not in tensors:
        raise UserError(
            f"{source} has no token embedding.", rule=f"Its names begin {', '.join(sorted(tensors)[:3])}."
        )
    low, high = (
        len({n.split(".")[2] for n in tensors if n.startswith(f"{level}.layers.")})
        for level in ("L_level", "H_level")
    )
    if net == "trm" and not high:
        given.pop("H_layers", None)  # TRM's published files set it, without use
    if not low or bool(high) != (net == "hrm" or given.get("H_layers", 0) > 0):
        raise UserError(
            f"{source} has {low} blocks under L_level and {high} under H_level.",
            rule="A TRM has one network, L_level; an HRM has both.",
            next_step=f"Give --solver {'hrm' if high else 'trm'}." if low else "There is no net here for it.",
        )
    vocab, width = tensors[needed].shape
    table = tensors.get("embedding.puzzle_emb.weights")
    mixer = tensors.get("L_level.layers.0.mlp_t.gate_up_proj.weight")
    learned = tensors.get("embedding.embed_pos.embedding_weight")
    inferred: dict[str, Any] = {
        "vocab_size": vocab,
        "hidden_size": width,
        "L_layers": low,
        "H_layers": high,
        "puzzle_emb_ndim": 0 if table is None else table.shape[1],
        "num_puzzle_identifiers": 1 if table is None else table.shape[0],
        "mlp_t": mixer is not None,
        **({"single_z": True} if single else {}),
        **({"pos_encodings": "learned"} if learned is not None else {}),
    }
    for name, value in inferred.items():
        if given.setdefault(name, value) != value:
            raise UserError(
                f"{name} is given as {given[name]!r}.", rule=f"The tensors of {source} say {value!r}."
            )

    positions = next((int(t.shape[k]) for t, k in ((mixer, 1), (learned, 0)) if t is not None), None)
    open_questions = ["H_cycles", "L_cycles", "halt_max_steps"]
    if mixer is None:
        open_questions += ["num_heads"] + ([] if learned is not None else ["pos_encodings"])
    if "puzzle_emb_len" not in given:
        # as many positions as the vector fills: HRM, and TRM's older files
        if table is None or net == "hrm" or beside:
            given["puzzle_emb_len"] = 0
        elif positions is not None and "seq_len" in given:
            given["puzzle_emb_len"] = positions - given["seq_len"]
        elif positions is None and width != PUBLISHED_WIDTH:
            fills = -(-given["puzzle_emb_ndim"] // width)
            raise UserError(
                f"The tensors of {source} do not tell the number of prefix positions.",
                rule=f"A puzzle's vector fills {fills}; published nets, of width {PUBLISHED_WIDTH}, have 16.",
                next_step=f"Give -C puzzle_emb_len={fills}, or what the net was trained with.",
            )
        else:  # with positions a wrong guess shows: no task has the length that would be left for the cells
            open_questions.append("puzzle_emb_len")
    defaults = dataclasses.asdict(config_of(net)[0](vocab_size=1, seq_len=1))
    assumed = {name: defaults[name] for name in open_questions if name not in given}
    given |= assumed
    prefix = given["puzzle_emb_len"] or -(-given["puzzle_emb_ndim"] // width)
    if positions is not None:
        given.setdefault("seq_len", positions - prefix)
    if given.get("seq_len", 0) < 1:
        known = f"{positions} positions, of which the prefix takes {prefix}" if positions else "no positions"
        raise UserError(
            f"The tensors of {source} do not tell the sequence length: they have {known}.",
            next_step="Give -C seq_len=81 for Sudoku, 900 for ARC"
            + (", or -C puzzle_emb_len." if positions else "."),
        )
    return given, assumed, told


def read_configuration(path: Path, net: str, hints: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the net in an all_config.yaml; nothing if there is no such file."""
    if not path.is_file():
        return {}
    try:
        arch = yaml.safe_load(path.read_text(encoding="utf-8"))["arch"]
        # models.recursive_reasoning.trm@Class
        name = str(arch.get("name", "")).partition("@")[0].rpartition(".")[2]
        fields = {k: read(str(v), hints[k], f"{path}: {k}") for k, v in arch.items() if k in hints}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} is no configuration of the published code ({type(error).__name__}: {error}).",
            rule="It has the net's fields under 'arch'.",
            next_step="Move the checkpoint away from it, and give the fields with -C.",
        ) from error
    if name.startswith(("trm", "hrm")) and name[:3] != net:
        raise UserError(
            f"{path} says the net is {name!r}, not {net!r}.", next_step=f"Give --solver {name[:3]}."
        )
    return fields
