"""Read the tensors of other people's checkpoints: wrappers unpacked, averages found, nothing executed.

A checkpoint of a whole training state may hold averaged weights beside the plain ones, under one of many
names. They are what the author scores, so they are taken where they are named as the net is, and refused by
name where they are not: never passed over.
"""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from harness.errors import UserError
from solvers.nets.weights import files as weights

INSIDE = (
    "model_state_dict",
    "state_dict",
    "model_state",
    "model",
    "module",
    "net",
    "network",
    "weights",
    "params",
)
"""Keys under which a checkpoint of a training state keeps the plain weights, the outermost first."""

AVERAGE = re.compile(r"(^|_)(ema|swa|shadow|polyak|averaged?)(_|$|\d)", re.IGNORECASE)
"""What a key, or a part of a name, looks like under which averaged weights stand: model_ema, ema_state_dict,
shadow_params, averaged_model, swa_model, … (an optimiser's exp_avg is none).
"""

WRAPPERS = ("model", "inner", "net", "network", "state_dict")
"""First parts that wrappers and the published loss head put before a name."""

ANYWHERE = ("_orig_mod", "module")
"""Parts of a name that torch.compile and DistributedDataParallel leave, wherever what they wrap stands."""

EMBEDDINGS = ("embed_tokens.", "embed_pos.", "puzzle_emb.")


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """Load a state dict from a .pt or .safetensors file, names mapped, and what to tell of it; no code in a
    pickle is run. Raises UserError for what is no state dict, for averages that cannot be told apart or have
    no names, and for the first tensor that is not a number somewhere.
    """
    loaded = _loaded(path)
    found = dict(_averages(loaded))
    plain = _plain(loaded)
    among = {name for name in plain if any(map(AVERAGE.search, name.split(".")[:-1]))}
    if among and among != set(plain):
        found["/".join(sorted({_container(name) for name in among}))] = {
            name: plain.pop(name) for name in among
        }
    if not plain and not found:
        raise UserError(f"{path} holds no state dict.", rule="It must map names to tensors.")
    tensors = rename(plain, path)
    notes = []
    if "averaging_state" in loaded:
        notes.append(f"The weights under state_dict in {path.name} are averages, as Lightning writes them.")
    if len(found) > 1:
        raise UserError(
            f"{path} holds several averages of its weights: {', '.join(sorted(found))}.",
            rule="They differ, and so do their scores.",
            next_step="Save the one you mean as a state dict of its own.",
        )
    for key, averages in found.items():
        averaged = _named(averages, key, path)
        if unknown := sorted(averaged.keys() - tensors.keys()) if plain else []:
            raise UserError(
                f"{path} holds averaged weights under {key!r} whose names are not the net's: {unknown[0]!r}.",
                rule=f"The net has {', '.join(sorted(tensors)[:3])}, …",
                next_step="Save them as a state dict of their own, under the names of the net.",
            )
        tensors |= averaged
        notes.append(f"The averaged weights in {path.name} were taken ({len(averaged)} tensors under {key}).")
    weights.check_finite(tensors, path)
    return tensors, notes


def rename(tensors: Mapping[str, Tensor], source: Path | None = None) -> dict[str, Tensor]:
    """Strip wrappers from the names and put embeddings where `TrmNet` has them; rotary tables are recomputed
    and counters of averaging are no weights, so both are dropped. Raises UserError where two tensors get one
    name.
    """
    renamed: dict[str, Tensor] = {}
    first: dict[str, str] = {}
    for whole, tensor in tensors.items():
        parts = [part for part in whole.split(".") if part not in ANYWHERE]
        while len(parts) > 1 and (parts[0] in WRAPPERS or AVERAGE.search(parts[0])):
            parts = parts[1:]
        name = ".".join(parts)
        if name.startswith(("rotary_emb.", "puzzle_emb.local_")) or tensor.ndim == 0:
            continue
        name = f"embedding.{name}" if name.startswith(EMBEDDINGS) else name
        if name in renamed and not torch.equal(renamed[name], tensor):
            raise UserError(
                f"{source or 'The file'} holds two tensors for {name!r}: {first[name]!r} and {whole!r}.",
                next_step="Save the state dict you mean by itself.",
            )
        renamed[name], first[name] = tensor, whole
    return renamed


def _averages(found: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what stands under a key that looks like an average and holds tensors, with its place."""
    if isinstance(found, Mapping):
        inside = [(str(key), value) for key, value in found.items()]
    elif isinstance(found, list | tuple):
        inside = [(str(number), value) for number, value in enumerate(found)]
    else:
        return
    for key, value in inside:
        place = f"{path}.{key}" if path else key
        if isinstance(value, Tensor):
            continue  # a name of a flat state dict: `read_checkpoint` looks at those
        if AVERAGE.search(key) and any(t.ndim > 0 for t in _tensors(value)):
            yield place, value
        else:
            yield from _averages(value, place)


def _tensors(found: Any) -> Iterator[Tensor]:
    if isinstance(found, Tensor):
        yield found
    elif isinstance(found, Mapping | list | tuple):
        for value in found.values() if isinstance(found, Mapping) else found:
            yield from _tensors(value)


def _named(averages: Any, key: str, path: Path) -> dict[str, Tensor]:
    """Return averaged tensors by the net's names; those that only have an order are refused."""
    flat: dict[str, Tensor] = {}

    def walk(found: Any, name: str) -> None:
        if isinstance(found, Tensor):
            flat[name] = found
        elif isinstance(found, Mapping):
            for inner, value in found.items():
                walk(value, f"{name}.{inner}" if name else str(inner))
        elif isinstance(found, list | tuple) and any(t.ndim > 0 for t in _tensors(found)):
            raise UserError(
                f"{path} holds averaged weights under {key!r} as a list without names.",
                rule="Which tensor is which cannot be told.",
                next_step="Copy them into the net where it was trained, and save its state dict.",
            )

    walk(averages, "")
    return rename(flat, path)


def _plain(loaded: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the plain weights of a checkpoint, unpacked; nothing if there are none."""
    while (
        inner := next((loaded[key] for key in INSIDE if isinstance(loaded.get(key), Mapping)), None)
    ) is not None:
        loaded = inner
    tensors = {str(name): t for name, t in loaded.items() if isinstance(t, Tensor)}
    others = [t for t in loaded.values() if not isinstance(t, Tensor | int | float | str | type(None))]
    if not any(t.ndim for t in tensors.values()) or any(not isinstance(t, Mapping) for t in others):
        return {}
    return tensors


def _container(name: str) -> str:
    """Return the parts of a tensor's name up to the one that says it is an average."""
    parts = name.split(".")
    last = next(index for index, part in enumerate(parts) if AVERAGE.search(part))
    return ".".join(parts[: last + 1])


def _loaded(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(f"No checkpoint at {path}.", next_step="Give the file itself, not its folder.")
    if path.suffix == ".safetensors":
        try:
            with safe_open(str(path), "pt") as file:
                if (file.metadata() or {}).get("format") == weights.FORMAT:
                    raise UserError(
                        f"{path} is a weights file of this project already.", next_step="Use it as it is."
                    )
            return dict(load_file(path))
        except SafetensorError as error:
            raise UserError(
                f"{path} cannot be read as safetensors ({error}).", next_step="Fetch it again."
            ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles torch did not write
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch's own words go on to advise loading it all the same
        asked = re.search(r"GLOBAL (\S+)", str(error))
        if not asked:
            raise UserError(
                f"{path} is no PyTorch checkpoint.", next_step="Give a .pt or .safetensors file."
            ) from error
        raise UserError(
            f"{path} is not a plain state dict: it asks for {asked[1]}.",
            rule="Only tensors are read; a pickle that carries code is never run.",
            next_step="Ask its author for safetensors.",
        ) from error
    except (
        RuntimeError,
        EOFError,
        zipfile.BadZipFile,
        OSError,
        LookupError,
        ValueError,
        AttributeError,
    ) as error:
        raise UserError(
            f"{path} cannot be read as a PyTorch checkpoint ({error}).", next_step="Fetch it again."
        ) from error
    return loaded if isinstance(loaded, dict) else {}
