"""`bench run --dry-run`: what a solver would ask, how long that is, and what it might cost. Sends nothing and
writes nothing.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import typer

from harness.capabilities import Bounded, Previews, Priced
from harness.errors import DepthbenchError, UserError
from harness.records.find import left_out, scan
from harness.running.plan import Plan
from harness.running.view import View

SHOWN = 2
SAMPLE = 200


def show(plan: Plan) -> None:
    """Print the first prompts, their token counts, and a price range from earlier runs of the model, or
    that it is unknown.
    """
    solver = plan.solver
    if not isinstance(solver, Previews):
        raise UserError(
            f"The solver {plan.record.solver.name!r} asks no model.", next_step="Leave --dry-run out."
        )
    prompts = [solver.preview(View(plan.task), puzzle) for puzzle, _ in plan.items.values()]
    for (puzzle, _), prompt in list(zip(plan.items.values(), prompts, strict=True))[:SHOWN]:
        typer.echo(f"--- {puzzle.id}\n{prompt}\n")
    counts = [solver.count_tokens(prompt) for prompt in prompts[:SAMPLE]]
    mean = statistics.fmean(counts)
    typer.echo(
        f"{plan.planned:,} attempts; first prompts of about {min(counts):,} to {max(counts):,} tokens, "
        f"{mean:,.0f} on average"
    )
    typer.echo("(by the tokenizer that is known for the model; a server may count differently)")
    if isinstance(solver, Priced):
        _price(plan, solver, mean)


def _price(plan: Plan, solver: Priced, mean_tokens: float) -> None:
    model = plan.record.card.model
    if solver.price is None:
        typer.echo(f"Price: unknown, no price is listed for {model!r}. {solver.how_to_price}")
        return
    most = solver.most_usd(mean_tokens) if isinstance(solver, Bounded) else None
    if most is not None:
        typer.echo(
            f"At most ${plan.planned * most:.4g}: every reply as long as it may be, and none asked for twice."
        )
    spent = sorted(_earlier(plan, solver))
    if not spent:
        typer.echo(
            f"Price: unknown, no earlier run of {model!r} on {plan.task.name!r} says how long its replies "
            "are."
        )
        typer.echo(
            "The prompts alone cost about "
            f"${plan.planned * mean_tokens * solver.price.input / 1e6:.4g} if each is sent once."
        )
        return
    low, high = (spent[int(len(spent) * share)] for share in (0.1, 0.9))
    typer.echo(
        f"Price: ${plan.planned * low:.4g} to ${plan.planned * high:.4g}, by the cheapest and dearest tenth "
        f"of {len(spent):,} attempts recorded in earlier runs with the same options."
    )


def _earlier(plan: Plan, solver: Priced) -> Iterator[float]:
    """Yield the cost of each attempt, at today's price, in runs of the same task that spend alike."""
    for run in scan(plan.spec.results_dir):
        problem = run.problem
        if run.record is not None:
            if run.record.task.name != plan.task.name or not solver.spends_like(run.record.solver.options):
                continue
            try:
                costs = [solver.usd(attempt) for attempt in run.folder.attempts()]
                yield from (cost for cost in costs if cost is not None)
            except DepthbenchError as error:
                problem = left_out(run.folder, error)
        if problem and problem not in plan.left_out:
            typer.echo(f"bench: {problem}", err=True)
