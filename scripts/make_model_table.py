"""Make the dated table of models from the one litellm ships: `python scripts/make_model_table.py
[YYYY-MM-DD]`.

Writes solvers/llm/models/YYYY-MM-DD.json: context and output limits, whether sampling parameters are taken,
and the style of thinking, of every chat model. Prices stand in the price table (make_price_table.py).
"""

from __future__ import annotations

import datetime
import importlib.metadata
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

SOURCE = "model_prices_and_context_window_backup.json"
FOLDER = Path(__file__).parent.parent / "solvers" / "llm" / "models"


def known(entry: dict[str, Any]) -> dict[str, Any]:
    """Return what one entry says that we use; empty if it is not a text model."""
    if entry.get("mode") not in ("chat", "responses"):
        return {}
    limits = {"context": entry.get("max_input_tokens"), "output": entry.get("max_output_tokens")}
    found: dict[str, Any] = {
        name: int(value) for name, value in limits.items() if isinstance(value, int | float) and value > 0
    }
    if entry.get("supports_sampling_params") is not None:
        found["sampling"] = bool(entry["supports_sampling_params"])
    if entry.get("supports_adaptive_thinking"):
        found["thinking"] = "both" if entry.get("supports_legacy_thinking") else "adaptive"
    return found


def main() -> None:
    date = sys.argv[1] if len(sys.argv) > 1 else datetime.date.today().isoformat()
    datetime.date.fromisoformat(date)
    spec = importlib.util.find_spec("litellm")
    if spec is None or spec.origin is None:
        sys.exit("litellm is not installed: pip install litellm")
    table = json.loads((Path(spec.origin).parent / SOURCE).read_text("utf-8"))
    models = {
        name: found
        for name, entry in sorted(table.items())
        if isinstance(entry, dict) and (found := known(entry))
    }
    head = {
        "date": date,
        "source": f"litellm {importlib.metadata.version('litellm')}, {SOURCE} (MIT licence)",
        "unit": "tokens",
    }
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(found)}" for name, found in models.items())
    path = FOLDER / f"{date}.json"
    path.write_text(json.dumps(head, indent=1)[:-2] + f',\n "models": {{\n{lines}\n}}\n}}\n', "utf-8")
    print(f"{path}: {len(models)} models")


if __name__ == "__main__":
    main()
