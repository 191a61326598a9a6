"""`bench check` ends where nothing inside the process can end it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.fakes import EXAMPLES


def test_a_call_that_holds_the_interpreter_ends_the_check_and_is_named(tmp_path: Path) -> None:
    source = (EXAMPLES / "counting.py").read_text(encoding="utf-8")
    first = "        found = ANSWER.findall"
    assert first in source
    stuck = f'        re.fullmatch("(a+)+b", "a" * 60)  # for years\n{first}'
    (tmp_path / "stuck.py").write_text(source.replace(first, stuck), encoding="utf-8")
    command = [sys.executable, "-m", "depthbench", "check", "task", "stuck.py:Counting", "--seconds", "0.5"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", timeout=300
    )
    assert done.returncode == 1, done
    assert "in parse" in done.stderr
    assert "stuck.py" in done.stderr
