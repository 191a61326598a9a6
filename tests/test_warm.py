"""A fork of a process that has imported everything runs as a new Python does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import warm

TELLS = (
    "import os, sys\n"
    "print(sys.argv, __name__, globals().get('__file__'), os.getcwd(), os.environ['MARK'])\n"
    "print(sys.path[0], vars(sys.modules['__main__']) is globals(), file=sys.stderr)\n"
    "sys.exit(int(sys.argv[1]))\n"
)


@pytest.mark.parametrize("kind", ["code", "file", "module"])
def test_a_program_sees_what_it_would_see_and_ends_as_it_would(kind: str, tmp_path: Path) -> None:
    (tmp_path / "tells.py").write_text(TELLS)
    words = {"code": ["-c", TELLS], "file": [str(tmp_path / "tells.py")], "module": ["-m", "tells"]}[kind]
    given: Any = {
        "args": [sys.executable, *words, "7"],
        "cwd": tmp_path,
        "env": os.environ | {"MARK": "a mark"},
        "capture_output": True,
        "text": True,
    }
    cold, forked = subprocess.run(**given), warm.run(**given)
    assert (forked.returncode, forked.stdout, forked.stderr) == (7, cold.stdout, cold.stderr)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_it_is_known_which(number: signal.Signals) -> None:
    code = "import time\nprint('here', flush=True)\ntime.sleep(60)"
    given: Any = {"args": [sys.executable, "-c", code], "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    ended = []
    for popen in (subprocess.Popen, warm.Popen):
        process = popen(**given, text=True, start_new_session=True)
        assert process.stdout.readline() == "here\n"
        assert process.poll() is None
        assert os.getpgid(process.pid) == process.pid
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        ended.append((process.wait(), said.strip().rpartition("\n")[2]))
    assert ended[0] == ended[1]


def test_what_fails_is_told() -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        warm.run([sys.executable, "-c", "1 / 0"], check=True, capture_output=True, text=True)
    assert "ZeroDivisionError" in failed.value.stderr
    with pytest.raises(subprocess.TimeoutExpired):
        warm.run([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.05)
