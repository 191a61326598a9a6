"""Runs as a dataset on Hugging Face: their two tables as Parquet, and a card that says what they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from harness import __version__
from harness.cli import results, tables
from harness.cli.options import Format
from harness.errors import RunError, UserError
from harness.exchange.commands import command
from harness.exchange.exports_tables import parquet, run_rows
from harness.records.folder import RunFolder
from harness.records.jsonlines import write_atomically

HEAD = """---
configs:
- config_name: runs
  data_files: data/runs.parquet
- config_name: attempts
  data_files: data/attempts.parquet
tags:
- depthbench
---

"""


def dataset(runs: Sequence[RunFolder], out: Path) -> list[Path]:
    """Write the dataset to a folder as `push` uploads it: a card, and the two tables in `data`."""
    (out / "data").mkdir(parents=True, exist_ok=True)
    files = parquet(runs, out / "data")
    card = out / "README.md"
    write_atomically(card, _card(runs))
    return [card, *files]


def push(runs: Sequence[RunFolder], repository: str, *, private: bool, endpoint: str | None = None) -> str:
    """Upload runs as one commit to a dataset repository, which is made where it is missing; return its
    address. The token is the one `hf auth login` or HF_TOKEN gives.
    """
    import httpx
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    api = HfApi(endpoint=endpoint, library_name="depthbench", library_version=__version__)
    with TemporaryDirectory() as folder:
        dataset(runs, Path(folder))
        try:
            made = api.create_repo(repository, repo_type="dataset", private=private, exist_ok=True)
            api.upload_folder(
                repo_id=made.repo_id,
                repo_type="dataset",
                folder_path=folder,
                commit_message=f"{len(runs)} runs of depthbench {__version__}",
            )
        except HFValidationError as error:
            raise UserError(
                f"{repository!r} does not name a dataset.", rule="It is USER/NAME.", next_step=str(error)
            ) from error
        except HfHubHTTPError as error:
            raise RunError(
                f"{repository} cannot be written: {str(error).splitlines()[0]}",
                next_step="`hf auth login` gives a token; it must be one that may write.",
            ) from error
        except (OSError, httpx.HTTPError) as error:
            raise RunError(f"{api.endpoint} cannot be reached: {error}", next_step="Try again.") from error
    return str(made)


def _card(runs: Sequence[RunFolder]) -> str:
    rows = [[tables.visible(cell) for cell in results.cells(row)] for row in run_rows(runs)]
    kept = [i for i in range(len(results.COLUMNS)) if tables.any_known(rows, i)]
    table = tables.document(
        [results.COLUMNS[i].name for i in kept], [[row[i] for i in kept] for row in rows], Format.MARKDOWN
    )
    commands = [tables.visible(command(folder.record())) for folder in runs]
    return HEAD + "\n".join(
        [
            "# Runs of depthbench",
            "",
            f"{len(runs):,} runs, written by depthbench {__version__}. `runs` has a row a run. `attempts`",
            "has every line that was recorded and every planned attempt that was not; those with `counts`",
            "are the denominator of the scores.",
            "",
            *table,
            "",
            "```sh",
            *commands,
            "```",
            "",
        ]
    )
