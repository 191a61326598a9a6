"""`bench run --dry-run`: what a language model would be asked, how long that is, and what it might cost.
Sends nothing.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from harness.errors import UserError
from harness.running.plan import Plan
from harness.running.view import View

SHOWN = 2
SAMPLE = 200


def show(plan: Plan, results: Path) -> None:
    """Print the first prompts, their token counts, and a price range from earlier runs of the model, or
    that it is unknown.
    """
    solver = plan.solver
    if not hasattr(solver, "preview") or not hasattr(solver, "price"):
        raise UserError(
            f"The solver {plan.config['solver']['name']!r} asks no model.", next_step="Leave --dry-run out."
        )
    prompts = [solver.preview(View(plan.task), puzzle) for puzzle, _ in plan.items.values()]
    for (puzzle, _), prompt in list(zip(plan.items.values(), prompts, strict=True))[:SHOWN]:
        typer.echo(f"--- {puzzle.id}\n{prompt}\n")
    model = plan.config["solver"]["options"].get("model")
    counts = [_tokens(model, prompt) for prompt in prompts[:SAMPLE]]
    mean = statistics.fmean(counts)
    attempts = plan.planned
    typer.echo(
        f"{attempts:,} attempts; first prompts of about {min(counts):,} to {max(counts):,} tokens, "
        f"{mean:,.0f} on average"
    )
    typer.echo("(litellm's tokenizer for the model; a server may count differently)")
    if solver.price is None:
        typer.echo(
            f"Price: unknown, no price is listed for {model!r}. Give -S usd_per_million_input and -S "
            "usd_per_million_output."
        )
        return
    spent = sorted(_earlier(plan, results))
    if not spent:
        typer.echo(
            f"Price: unknown, no earlier run of {model!r} on {plan.task.name!r} says how long its replies "
            "are."
        )
        typer.echo(
            f"The prompts alone cost about ${attempts * mean * solver.price.input / 1e6:.4g} if each is "
            "sent once."
        )
        return
    low, high = (spent[int(len(spent) * share)] for share in (0.1, 0.9))
    typer.echo(
        f"Price: ${attempts * low:.4g} to ${attempts * high:.4g}, by the cheapest and dearest tenth of "
        f"{len(spent):,} attempts"
        " recorded in earlier runs with the same options."
    )


def _tokens(model: Any, text: str) -> int:
    import os

    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # no download on import
    import litellm

    return int(litellm.token_counter(model=model or "", text=text))


def _earlier(plan: Plan, results: Path) -> Iterator[float]:
    """Yield the cost of each attempt, at today's price, in runs of the same task, model and strategy."""
    wanted = plan.config["solver"]["options"]
    same = (
        "model",
        "provider",
        "base_url",
        "strategy",
        "samples",
        "rounds",
        "reasoning_effort",
        "thinking_tokens",
        "max_tokens",
    )
    for path in (results / "runs").glob("*/run.json"):
        config = json.loads(path.read_text())
        options = config["solver"]["options"]
        if config["task"]["name"] != plan.task.name or any(
            options.get(name) != wanted.get(name) for name in same
        ):
            continue
        try:
            lines = path.with_name("attempts.jsonl").read_text().splitlines()
        except FileNotFoundError:
            continue
        for line in lines:
            usage = json.loads(line).get("usage", {}) if line.endswith("}") else {}
            usd = plan.solver.price.usd(  # type: ignore[attr-defined]
                input_tokens=usage.get("input_tokens"),
                output_tokens=usage.get("output_tokens"),
                cached_tokens=usage.get("cached_tokens"),
            )
            if usd is not None:
                yield usd
