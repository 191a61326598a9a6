"""`bench run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import DataDir, Format, FormatOption, ResultsDir, SolverOptions, TaskOptions
from harness.errors import RunError

if TYPE_CHECKING:
    from harness.records.folder import RunFolder


def run(
    task: Annotated[str, typer.Option(help="Name of a task, or path/to/file.py:Class.")],
    solver: Annotated[str, typer.Option(help="Name of a solver, or path/to/file.py:Class.")],
    task_option: TaskOptions = [],  # noqa: B006  typer copies it
    solver_option: SolverOptions = [],  # noqa: B006
    split: Annotated[str | None, typer.Option(help="Split of the task; its first if left out.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first so many puzzles.")] = None,
    sample_id: Annotated[
        str | None, typer.Option(help="Only these puzzles: ids, separated by commas.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of generated puzzles and of random choices.")] = 0,
    max_connections: Annotated[
        int | None, typer.Option(help="Requests in flight at a time, for language models.")
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(help="Stop before more US dollars than this are spent.")
    ] = None,
    fail_on_error: Annotated[
        float | None,
        typer.Option(help="Stop when so many attempts failed; below 1, this share of those planned."),
    ] = None,
    retry_on_error: Annotated[
        int | None, typer.Option(help="Try a failed attempt so many times more, recorded failures included.")
    ] = None,
    attempts: Annotated[
        int | None, typer.Option(help="Tries at each puzzle, in place of the task's own number.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="So many processes make the attempts; each loads the solver for itself."),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="[ADDRESS]",
            help="Workers of a Ray cluster: HOST:PORT, ray://…, auto; none named: one is started here.",
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start anew beside an earlier run of the same configuration.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show what a language model would be asked and might cost; send nothing."
        ),
    ] = False,
    sweep: Annotated[
        list[str],
        typer.Option(
            "--sweep",
            metavar="OPTION=VALUE,…",
            help="Run once for each value of a task's option (or S.OPTION=… of the solver); two: a grid.",
        ),
    ] = [],  # noqa: B006
    data_dir: DataDir = None,
    results_dir: ResultsDir = None,
    format: FormatOption = Format.TABLE,  # noqa: A002  named as the option
) -> None:
    """Run a solver on a task, or resume that run; every attempt is recorded as it comes."""
    from harness.cli import results
    from harness.options import parse_pairs
    from harness.records.schema import RunSpec
    from harness.running import runner
    from harness.running.plan import plan_run
    from harness.running.progress import duration, progress
    from harness.scores.leaderboard import row_of

    shown = progress()
    spec = RunSpec(
        task,
        solver,
        task_options=parse_pairs(task_option, "-T"),
        solver_options=parse_pairs(solver_option, "-S"),
        split=split,
        seed=seed,
        limit=limit,
        sample_ids=[part.strip() for part in (sample_id or "").split(",") if part.strip()],
        data_dir=data_dir,
        results_dir=results_dir,
        fresh=fresh,
        max_connections=max_connections,
        max_cost_usd=max_cost,
        fail_on_error=fail_on_error,
        retry_on_error=retry_on_error,
        attempts=attempts,
        workers=workers,
        ray=ray,
    )
    if sweep:
        from harness.cli.sweep import sweep as sweep_over
        from harness.errors import UserError

        if dry_run:
            raise UserError("--dry-run was given with --sweep.", rule="It shows one run.")
        sweep_over(sweep, spec, format)
        return
    plan = plan_run(spec)
    for problem in plan.left_out:
        typer.echo(f"bench: {problem}", err=True)
    if dry_run:
        from harness.cli import dry_run as preview

        preview.show(plan)
        return
    try:
        result = runner.execute(plan, shown)
    except runner.RunInterrupted as interrupted:
        result = interrupted.result
        results.write([row_of(result.folder, result.record, result.summary)], format)
        typer.echo(
            f"bench: interrupted with {result.summary.recorded:,} of {result.summary.planned:,} attempts "
            f"recorded in {result.path}; give the same command again to resume.",
            err=True,
        )
        raise typer.Exit(130) from None
    results.write([row_of(result.folder, result.record, result.summary)], format)
    if format is Format.TABLE:
        results.write_details(result.summary)
    typer.echo(f"{result.path}: {duration(result.elapsed_seconds)} in all", err=True)
    if result.summary.headline.score is None and (cause := _why_nothing_came(result.folder)):
        raise RunError(
            f"No call of this run brought a reply, most often because: {cause}.",
            rule="That says nothing about the solver, so there is no score.",
            next_step="Mend the cause; the same command with --retry-on-error 1 asks again.",
        )


def _why_nothing_came(folder: RunFolder) -> str | None:
    """Return the most frequent failure of a run in which every call failed; None for any other run."""
    from collections import Counter

    from harness.scores.summary import nothing_came

    attempts = folder.attempts()
    if not nothing_came(attempts):
        return None
    causes = Counter(str(attempt.detail.get("error", attempt.outcome)) for attempt in attempts)
    return causes.most_common(1)[0][0].rstrip(".")
