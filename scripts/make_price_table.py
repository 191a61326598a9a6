"""Make a dated price table from the one litellm ships: `python scripts/make_price_table.py [YYYY-MM-DD]`.

Writes harness/prices/YYYY-MM-DD.json. Old tables stay: records name the date they were priced with. The
prices of devices are looked up by hand: they are carried over from the newest table as they are, each with
its source and the day it was read.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

SOURCE = "model_prices_and_context_window_backup.json"
FOLDER = Path(__file__).parent.parent / "harness" / "books" / "prices"
FIELDS = {
    "input": "input_cost_per_token",
    "cached": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "output": "output_cost_per_token",
    "batch_input": "input_cost_per_token_batches",
    "batch_cached": "cache_read_input_token_cost_batches",
    "batch_output": "output_cost_per_token_batches",
}
IMPLAUSIBLE = 1000.0  # USD per million tokens: the source quotes some prices per thousand by mistake
TIER = re.compile(r"(?:input|output)_cost_per_token_above_(\d+)k_tokens")


def prices(entry: dict[str, Any]) -> dict[str, float] | None:
    """Return one model's prices in USD per million tokens; None if it is not a text model sold by the
    token.
    """
    if (
        entry.get("mode") not in ("chat", "responses")
        or not entry.get("input_cost_per_token")
        or not entry.get("output_cost_per_token")
    ):
        return None
    if (
        "output_cost_per_reasoning_token" in entry
        and entry["output_cost_per_reasoning_token"] != entry["output_cost_per_token"]
    ):
        return None  # reasoning is billed apart: our rule of one output price would misstate it
    if (
        entry["input_cost_per_token"] * 1e6 > IMPLAUSIBLE
        or entry["output_cost_per_token"] * 1e6 > IMPLAUSIBLE
    ):
        return None
    found = {name: round(entry[field] * 1e6, 9) for name, field in FIELDS.items() if entry.get(field)}
    tiers = [int(match[1]) * 1000 for field in entry if (match := TIER.fullmatch(field))]
    return found | ({"up_to_input_tokens": min(tiers)} if tiers else {})


def main() -> None:
    date = sys.argv[1] if len(sys.argv) > 1 else datetime.date.today().isoformat()
    datetime.date.fromisoformat(date)
    spec = importlib.util.find_spec("litellm")
    if spec is None or spec.origin is None:
        sys.exit("litellm is not installed: pip install litellm")
    table = json.loads((Path(spec.origin).parent / SOURCE).read_text(encoding="utf-8"))
    models = {
        name: found
        for name, entry in sorted(table.items())
        if isinstance(entry, dict) and (found := prices(entry))
    }
    head = {
        "date": date,
        "source": f"litellm {importlib.metadata.version('litellm')}, {SOURCE} (MIT licence)",
        "unit": "USD per million tokens, USD per device-hour",
    }
    newest = max(FOLDER.glob("????-??-??.json"))
    devices = ",\n".join(
        json.dumps(device) for device in json.loads(newest.read_text(encoding="utf-8"))["devices"]
    )
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(found)}" for name, found in models.items())
    text = (
        json.dumps(head, indent=1)[:-2] + f',\n "devices": [\n{devices}\n],\n "models": {{\n{lines}\n}}\n}}\n'
    )
    path = FOLDER / f"{date}.json"
    path.write_text(text, encoding="utf-8")
    print(f"{path}: {len(models)} models")


if __name__ == "__main__":
    main()
