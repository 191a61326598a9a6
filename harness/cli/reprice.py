"""`bench reprice`: what recorded runs cost at the prices of another day, or of another device. Changes
nothing on disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.books.ledger import device_usd
from harness.cli import tables, units
from harness.cli.options import ColumnsOption, Format, FormatOption, ResultsDir, WideOption
from harness.cli.tables import Column, Layout

if TYPE_CHECKING:
    from harness.books.prices import Price, PriceTable
    from harness.records.folder import RunFolder

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
    from harness.running.plan import results_folder
    from harness.scores.leaderboard import find_run

    names = runs or sorted(
        str(path.parent) for path in (results_folder(results_dir) / "runs").glob("*/run.json")
    )
    chosen = table(prices)
    rows = [_row(find_run(name, results_dir), chosen, usd_per_device_hour) for name in names]
    cells = [
        [
            *(row[name] for name in ("run", "task", "solver", "prices")),
            *(units.usd(row[name]) for name in ("usd_recorded", "usd", "usd_per_puzzle")),
            f"{row['attempts_not_priced']:,} of {row['attempts']:,}",
        ]
        for row in rows
    ]
    tables.write(COLUMNS, cells, rows, format, Layout(wide=wide, columns=columns))
    typer.echo(f"prices of {chosen.date}: {chosen.source}", err=True)


def _row(folder: RunFolder, table: PriceTable, usd_per_device_hour: float | None) -> dict[str, Any]:
    """Return one run's line; a sum is unknown (None) as soon as one attempt's price is."""
    import math

    config = folder.config()
    options = config["solver"].get("options", {})
    price, hourly = None, None
    if config["card"]["kind"] == "llm":
        price = table.find(
            options.get("model") or "",
            provider=options.get("provider") or "openai",
            base_url=options.get("base_url"),
        )
        source = table.date if price else "none known"
    elif usd_per_device_hour is not None:
        hourly, source = usd_per_device_hour, f"${usd_per_device_hour:g}/h"
    else:
        hourly = table.usd_per_device_hour(config["device"])
        source = "none known" if hourly is None else table.date
    lines = folder.lines()
    now = [_usd(line.get("usage", {}), line.get("detail", {}), price, hourly) for line in lines]
    recorded = [line.get("usage", {}).get("usd") for line in lines]
    total = None if not now or None in now else math.fsum(usd for usd in now if usd is not None)
    puzzles = len({line["puzzle"] for line in lines})
    return {
        "run": folder.path.name,
        "task": config["task"]["name"],
        "solver": config["solver"]["name"],
        "prices": source,
        "attempts": len(lines),
        "attempts_not_priced": sum(usd is None for usd in now),
        "usd_recorded": None if None in recorded or not recorded else math.fsum(recorded),
        "usd": total,
        "usd_per_puzzle": None if total is None else total / puzzles,
    }


def _usd(
    usage: Mapping[str, Any],
    detail: Mapping[str, Any],
    price: Price | None,
    usd_per_device_hour: float | None,
) -> float | None:
    """Price one attempt: by its tokens if the model has a price, else by its device time."""
    if price is None:
        return device_usd(usage, usd_per_device_hour)
    return price.usd(
        input_tokens=usage.get("input_tokens"),
        output_tokens=usage.get("output_tokens"),
        cached_tokens=usage.get("cached_tokens"),
        cache_write_tokens=detail.get("cache_write_tokens", 0),
        batch=detail.get("batch", False),
    )
