"""`bench reprice`: what recorded runs cost at the prices of another day, or of another device. Changes
nothing on disk.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from harness.books.ledger import device_usd
from harness.cli import tables, units
from harness.cli.options import ColumnsOption, Format, FormatOption, ResultsDir, WideOption
from harness.cli.tables import Column, Layout

if TYPE_CHECKING:
    from harness.books.prices import PriceTable
    from harness.capabilities import Priced
    from harness.records.folder import RunFolder
    from harness.records.schema import AttemptRecord, RunRecord

COLUMNS = (
    Column("run", 0, wraps=True, least=24),
    Column("task", 4),
    Column("solver", 5),
    Column("prices", 3, "date of the table, or the device's price"),
    Column("$ recorded", 0, right=True),
    Column("$ now", 0, right=True),
    Column("$/puzzle now", 1, right=True),
    Column("not priced", 2, "attempts", right=True),
)


def reprice(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="Runs; all of them if left out.")
    ] = None,
    prices: Annotated[
        str | None, typer.Option(metavar="DATE", help="Date of the price table; the newest if left out.")
    ] = None,
    usd_per_device_hour: Annotated[
        float | None, typer.Option(help="Your own price of the device that nets and exact solvers ran on.")
    ] = None,
    results_dir: ResultsDir = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
    columns: ColumnsOption = None,
    wide: WideOption = False,
) -> None:
    """Price the recorded tokens and device seconds anew, without running anything."""
    from harness.books.prices import table
    from harness.errors import DepthbenchError
    from harness.records.find import find_run, folders, left_out

    chosen = table(prices)
    found = [find_run(name, results_dir) for name in runs] if runs else folders(results_dir)
    rows, problems = [], []
    for folder in found:
        try:
            rows.append(_row(folder, chosen, usd_per_device_hour))
        except DepthbenchError as error:
            if runs:
                raise
            problems.append(left_out(folder, error))
    cells = [
        [
            *(getattr(row, name) for name in ("run", "task", "solver", "prices")),
            *(units.usd(getattr(row, name)) for name in ("usd_recorded", "usd", "usd_per_puzzle")),
            f"{row.attempts_not_priced:,} of {row.attempts:,}",
        ]
        for row in rows
    ]
    for problem in problems:
        typer.echo(f"bench: {problem}", err=True)
    tables.write(COLUMNS, cells, [asdict(row) for row in rows], format, Layout(wide=wide, columns=columns))
    typer.echo(f"prices of {chosen.date}: {chosen.source}", err=True)
    if problems:
        raise typer.Exit(1)


@dataclass(frozen=True, kw_only=True)
class Repriced:
    """What one run cost as recorded and by other prices; a sum is unknown (None) as soon as one attempt's
    price is.
    """

    run: str
    task: str
    solver: str
    prices: str  # date of the table, or the device's price
    attempts: int
    attempts_not_priced: int
    usd_recorded: float | None
    usd: float | None
    usd_per_puzzle: float | None


def _row(folder: RunFolder, table: PriceTable, usd_per_device_hour: float | None) -> Repriced:
    record, attempts = folder.record(), folder.attempts()
    if (solver := _priced(record, attempts)) is not None:
        price = solver.reprice(record.solver.options, table)
        now = [None if price is None else price(attempt) for attempt in attempts]
        source = "none known" if price is None else table.date
    else:
        own = usd_per_device_hour
        hourly = table.usd_per_device_hour(record.device) if own is None else own
        now = [device_usd(attempt.usage, hourly) for attempt in attempts]
        source = f"${own:g}/h" if own is not None else "none known" if hourly is None else table.date
    total = _sum(now)
    return Repriced(
        run=folder.name,
        task=record.task.name,
        solver=record.solver.name,
        prices=source,
        attempts=len(attempts),
        attempts_not_priced=sum(usd is None for usd in now),
        usd_recorded=_sum([attempt.usage.usd for attempt in attempts]),
        usd=total,
        usd_per_puzzle=None if total is None else total / len({attempt.puzzle for attempt in attempts}),
    )


def _priced(record: RunRecord, attempts: Sequence[AttemptRecord]) -> Priced | None:
    """Return the solver that says what tokens cost, where tokens were recorded; None: by device time."""
    from harness import registry
    from harness.capabilities import Priced
    from harness.errors import UserError

    if all(attempt.usage.input_tokens is attempt.usage.output_tokens is None for attempt in attempts):
        return None
    try:
        solver = registry.find("solver", record.solver.reference)
    except UserError:  # a plug-in that is gone
        return None
    return solver if isinstance(solver, Priced) else None


def _sum(amounts: Sequence[float | None]) -> float | None:
    known = [usd for usd in amounts if usd is not None]
    return math.fsum(known) if known and len(known) == len(amounts) else None
