"""Fixtures that every test file may use."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# no deadline: how long an example takes says what else runs. The same examples each time, but in a hunt
settings.register_profile("steady", deadline=None, derandomize="FUZZ" not in os.environ)
settings.load_profile("steady")

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # started in the background of a shell; commands under test would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of local data copies; skip, saying how to get it, where there is none."""
    places = (
        [Path(os.environ["DEPTHBENCH_DATA"])]
        if "DEPTHBENCH_DATA" in os.environ
        else [ROOT.parent / "shared" / "data"]
    )
    for place in places:
        if place.is_dir():
            return place
    pytest.skip(
        f"no folder {places[0]}: copy sapientinc/sudoku-extreme-1k and sapientinc/maze-30x30-hard-1k from "
        "Hugging Face into "
        "sudoku_extreme/ and maze_30x30_hard_1k/ of a folder and name it by DEPTHBENCH_DATA"
    )


@pytest.fixture(autouse=True)
def no_width_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the width of a table to the test: shells and parallel test runners export COLUMNS."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(autouse=True)
def own_response_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's cache of model replies out of every test."""
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path / "reply-cache"))
