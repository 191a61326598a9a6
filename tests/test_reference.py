"""The reference tables: what is printed is what is committed, and that is what the answers score."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "experiments"))

import reference_tables  # noqa: E402

KEPT = ROOT / "results" / "reference"


def test_what_is_printed_is_what_is_committed() -> None:
    for path, text in reference_tables.written(ROOT, KEPT).items():
        assert path.read_text(encoding="utf-8") == text, f"python experiments/reference_tables.py ({path})"


def test_a_file_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no <!-- reference table -->"):
        reference_tables.filled("no marks here", "table", "")
