"""No module imports another in a circle, wherever in a file the import stands; listing needs little."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("harness", "solvers", "tasks")


def imports(root: Path) -> dict[str, set[str]]:
    """Return which modules of these packages each imports, in functions and for type checkers included."""
    files = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for package in PACKAGES
        for path in (root / package).rglob("*.py")
    }
    graph: dict[str, set[str]] = {module: set() for module in files}
    for module, path in files.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                graph[module] |= {alias.name for alias in node.names} & graph.keys()
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: a relative import"
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    graph[module] |= {whole if whole in graph else str(node.module)} & graph.keys()
        graph[module].discard(module)
    return graph


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return the modules of a circle, none if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = imports(ROOT)
    assert len(graph) > 100
    assert circle(graph) == []


def test_a_circle_through_a_function_is_found(tmp_path: Path) -> None:
    for name, text in (
        ("a", "def f():\n    from tasks import b\n"),
        ("b", "import tasks.a\n"),
        ("c", "import tasks.a\n"),
    ):
        (tmp_path / "tasks").mkdir(exist_ok=True)
        (tmp_path / "tasks" / f"{name}.py").write_text(text)
    assert set(circle(imports(tmp_path))) == {"tasks.a", "tasks.b"}


def test_a_net_is_named_configured_and_its_recipes_listed_without_torch() -> None:
    code = (
        "import sys\n"
        "from harness import registry\n"
        "for name in ('trm', 'hrm', 'gram', 'looped', 'transformer'):\n"
        "    member = registry.find('solver', name)\n"
        "    assert member.configure(vocab_size=5, seq_len=9).halt_max_steps\n"
        "    assert member.recipes()\n"
        "print([name for name in ('torch', 'numpy', 'pandas') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("room", ["train", "infer", "fast", "weights", "members"])
def test_no_arrow_leads_from_the_model_to_what_uses_it(room: str) -> None:
    for module, used in imports(ROOT).items():
        if module.startswith("solvers.nets.model."):
            assert not [name for name in used if name.startswith(f"solvers.nets.{room}")], module
