"""A net of somebody else: the one of docs/adding-a-net.md, from its file and as an installed package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.cli.main import dispatch
from harness.errors import UserError
from solvers.nets.recipes import recipe
from solvers.nets.weights import files as weights
from solvers.nets.weights.member import find_member
from tests import warm

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "docs" / "examples" / "refiner.py"
FROM_FILE = f"{EXAMPLE}:RefinerSolver"
TASK = ["--task", "sudoku", "-T", "size=4"]
QUICK = ["-R", "optimiser_steps=40", "-R", "batch_size=16", "-R", "train_items=200",
         "-R", "validation_items=20", "-R", "warmup_steps=4",
         "-R", "config.width=32", "-R", "config.updates=2"]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refiner")
    command = ["train", *TASK, "--solver", FROM_FILE, "--recipe", "refiner-small", *QUICK, "--device", "cpu"]
    assert dispatch([*command, "--threads", "1", "--out", str(folder)]) == 0
    return folder / "weights.safetensors"


def ran(
    capsys: pytest.CaptureFixture[str], solver: str, path: Path, tmp_path: Path, *options: str
) -> dict[str, Any]:
    given = [word for option in (f"weights={path}", "device=cpu", *options) for word in ("-S", option)]
    command = ["run", *TASK, "--solver", solver, *given, "--limit", "20", "--results-dir", str(tmp_path)]
    assert dispatch([*command, "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    return row


def test_a_net_from_a_file_trains_answers_votes_and_has_a_curve_of_depth(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = ran(capsys, FROM_FILE, trained, tmp_path)
    assert row["planned"] == sum(row["outcomes"][name] for name in ("correct", "wrong")) == 20
    assert row["core_parameters"] > 0
    assert row["flops_per_puzzle"] > 0
    curve = ran(capsys, FROM_FILE, trained, tmp_path, "depths=1,2,8", "halt=never")["depth_curve"]
    assert set(curve) == {"1", "2", "8"}
    assert ran(capsys, FROM_FILE, trained, tmp_path, "samples=3", "augment=true")["planned"] == 20
    assert ran(capsys, FROM_FILE, trained, tmp_path, "samples=3", "noise=0.2")["planned"] == 20


def test_its_weights_say_what_it_is_and_go_on_from(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["weights", "show", str(trained), "--solver", FROM_FILE, "--format", "json"]) == 0
    (facts,) = json.loads(capsys.readouterr().out)
    assert (facts["net"], facts["config.width"], facts["training.recipe.name"]) == (
        "refiner",
        32,
        "refiner-small",
    )
    command = ["train", *TASK, "--solver", FROM_FILE, "--recipe", "refiner-small", *QUICK, "--device", "cpu"]
    out = ["--out", str(trained.parent / "again"), "--start-from", str(trained)]
    assert dispatch([*command, "--threads", "1", *out]) == 0
    started = weights.load(trained.parent / "again" / "weights.safetensors", find_from_file())
    assert started.training["started_from"]["sha256"] == weights.load(trained, find_from_file()).sha256


def find_from_file() -> Any:
    from harness import registry

    return registry.find("solver", FROM_FILE)


def test_without_its_solver_the_weights_of_a_net_from_a_file_are_refused_with_the_way_out(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dispatch(["weights", "show", str(trained)]) == 2
    said = capsys.readouterr().err
    assert "Unknown net 'refiner'" in said
    assert "--solver FILE.py:CLASS" in said


def test_a_recipe_from_a_file_trains_a_net_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from dataclasses import replace\nfrom solvers.nets.recipes import trm_sudoku_tiny\n\n\n"
        "def short():\n    return replace(trm_sudoku_tiny(), name='short', optimiser_steps=2,\n"
        "                   train_items=50, batch_size=4, validation_items=0)\n\n\n"
        "def none():\n    return 3\n"
    )
    out = ["--out", str(tmp_path / "out"), "--device", "cpu"]
    assert dispatch(["train", *TASK, "--solver", "trm", "--recipe", f"{file}:short", *out]) == 0
    assert weights.load(tmp_path / "out" / "weights.safetensors").training["recipe"]["name"] == "short"
    for name, words in (
        (f"{file}:long", "has no 'long'"),
        (f"{file}:none", "gives a int"),
        ("x.py:y", "No file 'x.py'"),
    ):
        with pytest.raises(UserError, match=words):
            recipe(name)


def installed(tmp_path: Path) -> dict[str, str]:
    """Return the environment in which the net is an installed package that imports torch, and slowly so."""
    (tmp_path / "refiner_pack.py").write_text(
        EXAMPLE.read_text() + "\n\ndef refiner_more() -> Recipe:\n"
        '    """More of it."""\n    from dataclasses import replace\n\n'
        '    return replace(refiner_small(), name="refiner-more")\n'
    )
    info = tmp_path / "refiner_pack-1.2.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: refiner-pack\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(
        "[depthbench.solvers]\nrefiner = refiner_pack:RefinerSolver\n"
        "[depthbench.recipes]\nrefiner-more = refiner_pack:refiner_more\n"
    )
    return os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}


def bench(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness.cli.main", *words]
    return warm.run(command, env=environment, capture_output=True, text=True)


def test_an_installed_net_is_listed_without_being_imported(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom harness import registry\n"
        "found = {e.name: e for e in registry.catalogue('solver')}['refiner']\n"
        "assert 'torch' not in sys.modules and 'refiner_pack' not in sys.modules\n"
        "print(found.summary, '|', found.origin)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=installed(tmp_path), capture_output=True, text=True
    )
    assert done.stdout.strip() == "Recurrent refiner: one gated cell at every position. | refiner-pack 1.2", (
        done.stderr
    )


def test_an_installed_net_is_known_by_its_name_everywhere(trained: Path, tmp_path: Path) -> None:
    environment = installed(tmp_path)
    shown = bench(environment, "weights", "show", str(trained), "--format", "json")
    assert json.loads(shown.stdout)[0]["net"] == "refiner", shown.stderr
    listed = bench(environment, "list", "recipes", "--format", "json")
    recipes = {line["recipe"]: line["solver"] for line in json.loads(listed.stdout)}
    assert recipes["refiner-small"] == recipes["refiner-more"] == "refiner"
    assert recipes["trm-sudoku-small"] == "trm"
    more = [
        "--recipe",
        "refiner-more",
        "-R",
        "optimiser_steps=1",
        "-R",
        "train_items=20",
        "-R",
        "validation_items=0",
    ]
    out = tmp_path / "more"
    done = bench(
        environment, "train", *TASK, "--solver", "refiner", *more, "--device", "cpu", "--out", str(out)
    )
    assert done.returncode == 0, done.stderr
    results = [
        "--limit",
        "3",
        "--results-dir",
        str(tmp_path / "r"),
        "-S",
        f"weights={out}/weights.safetensors",
    ]
    assert bench(environment, "run", *TASK, "--solver", "refiner", *results).returncode == 0


def test_a_solver_that_is_no_net_has_no_configuration() -> None:
    with pytest.raises(UserError, match="solver 'random' is no net"):
        find_member("random")
