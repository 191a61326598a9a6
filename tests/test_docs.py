"""The docs: each command in them can be read, the tutorial runs, the site builds, links lead somewhere."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.main import COMMANDS, assemble, dispatch
from tests.conftest import ROOT

PAGES = sorted(
    [*ROOT.glob("docs/*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("solvers/**/*.md")]
)
BLOCK = re.compile(r"^```(\w+)( run)?[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def blocks(page: Path, language: str) -> list[tuple[str, bool]]:
    """Return the code blocks of a page in one language, and whether each is to be run."""
    text = page.read_text(encoding="utf-8")
    return [(code, bool(runs)) for kind, runs, code in BLOCK.findall(text) if kind == language]


def commands(page: Path, *, run: bool | None = None) -> list[list[str]]:
    """Return the words of each `bench …` line of a page's shell blocks."""
    found = []
    for code, runs in blocks(page, "sh"):
        if run is None or run == runs:
            for line in code.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                while words and "=" in words[0]:  # settings before the command
                    words = words[1:]
                if words[:1] == ["bench"]:
                    found.append(words[1:])
    return found


SAID = [(page, words) for page in PAGES for words in commands(page)]


@pytest.mark.parametrize(
    ("page", "words"), SAID, ids=lambda x: x.name if isinstance(x, Path) else " ".join(x)[:60]
)
def test_a_command_in_the_docs_is_one(page: Path, words: list[str]) -> None:
    words = words[: next((i for i, word in enumerate(words) if word in ("|", ">", "&&", ";")), len(words))]
    assert words[0] in COMMANDS or words[0].startswith("-"), page
    words = [word for word in words if word != "…"]
    command = assemble(words[0] if words[0] in COMMANDS else None)
    with command.make_context("bench", list(words)) as context:
        if words[0].startswith("-"):
            return
        name, below, rest = command.resolve_command(context, words)
        if hasattr(below, "resolve_command") and rest and not rest[0].startswith("-"):
            name, below, rest = below.resolve_command(context, rest)
        if "--help" not in rest and not hasattr(below, "resolve_command"):
            below.make_context(str(name), list(rest), parent=context).close()


NAMED = re.compile(r"`bench ([a-z-]+)(?: ([a-z-]+))?")
WHERE = sorted(
    path for folder in ("harness", "solvers", "tasks") for path in ROOT.glob(f"{folder}/**/*.py")
) + [page for page in PAGES if page.name != "log.md"]  # which tells of what was


def test_a_command_that_is_named_in_passing_is_one() -> None:
    named = {words: path for path in WHERE for words in NAMED.findall(path.read_text(encoding="utf-8"))}
    assert ("list", "prompts") in named
    for (name, below), path in named.items():
        if name.startswith("-"):
            continue
        assert name in COMMANDS, (name, path)
        parts = getattr(assemble(name).commands[name], "commands", None)  # type: ignore[attr-defined]
        assert not (parts and below and not below.startswith("-")) or below in parts, (name, below, path)


def test_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = commands(ROOT / "docs" / "first-hour.md", run=True)
    assert len(lines) >= 8
    for words in lines:
        made = iter(sorted((tmp_path / "results" / "runs").glob("*"), key=lambda run: -run.stat().st_mtime))
        assert dispatch([next(made).name if word == "RUN" else word for word in words]) == 0, words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_in_the_docs_can_be_read(page: Path) -> None:
    for code, _ in blocks(page, "python"):
        ast.parse(code)


def anchors(page: Path) -> set[str]:
    """Return what a link into a page may name, as GitHub makes it of the headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path) if path else page
        made = there.name in ("commands.md",)  # by scripts/docs_pages.py
        assert made or there.exists(), f"{page.name}: {target}"
        if anchor and there.suffix == ".md" and not made:
            assert anchor in anchors(there), f"{page.name}: {target}"


def test_every_page_stands_in_the_site_s_menu() -> None:
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    pages = {page.name for page in ROOT.glob("docs/*.md")} | {"commands.md"}
    assert set(re.findall(r"([\w-]+\.md)", menu)) == pages


def test_the_command_page_has_every_command_and_option() -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        from docs_pages import commands_page  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(ROOT / "scripts"))
    page = commands_page()
    for name in COMMANDS:
        assert f"## bench {name}\n" in page
        command = assemble(name).commands[name]  # type: ignore[attr-defined]
        for part in (command, *getattr(command, "commands", {}).values()):
            for given in part.params:
                if given.param_type_name == "option" and given.name != "help" and not given.hidden:
                    assert all(flag in page for flag in given.opts), (name, given.opts)


def test_the_site_builds_without_a_warning_and_asks_no_other_server(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="needs mkdocs-material: pip install --group dev")
    pytest.importorskip("mkdocstrings")
    words = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--quiet",
        "--site-dir",
        str(tmp_path),
    ]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    loaded = re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"?(https?://[^\"\s>]+)", index)
    assert [address for address in loaded if "squidfunk" not in address] == []
    assert "bench leaderboard" in (tmp_path / "commands" / "index.html").read_text(encoding="utf-8")
    reference = (tmp_path / "api" / "index.html").read_text(encoding="utf-8")
    for name in ("GeneratedTask", "SolverCard", "Usage", "check_task", "UserError", "Symmetries"):
        assert name in reference, name
