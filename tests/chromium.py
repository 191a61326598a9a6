"""A headless Chromium for the tests of pages, driven by Playwright.

Needs Playwright (`pip install --group browser`) and Chromium; CHROMIUM names it where it is not on the path.
axe-core is used where DEPTHBENCH_AXE names its file; `make test-browser` sets all of it up.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update",
         "--host-resolver-rules=MAP evil.example 127.0.0.1")  # fmt: skip
PATIENCE = 180_000  # milliseconds: a busy machine starts a browser slowly


@contextlib.contextmanager
def launched() -> Iterator[Any]:
    """Start a browser, and end it."""
    from playwright import sync_api as playwright

    playwright.expect.set_options(timeout=PATIENCE)
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS), timeout=PATIENCE)
        yield found
        found.close()


@contextlib.contextmanager
def page_of(browser: Any, *, errors: list[str] | None = None, **options: Any) -> Iterator[Any]:
    """Open a page; what it says on the console as an error fails the test, or is noted."""
    said: list[str] = []
    context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **options})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.on("console", lambda note: said.append(note.text) if note.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(f"dialog {dialog.message}"), dialog.dismiss()))
    try:
        yield page
    finally:
        context.close()
    if errors is None:
        assert said == []
    else:
        errors += said


def serious(page: Any) -> list[Any]:
    """Return what axe-core finds serious or critical on a page, which must bypass its own policy."""
    axe = os.environ.get("DEPTHBENCH_AXE")
    if not axe:
        return []
    page.evaluate(Path(axe).read_text(encoding="utf-8"))
    found = page.evaluate("axe.run().then(r => r.violations.map(v => [v.id, v.impact, v.nodes[0].html]))")
    return [v for v in found if v[1] in ("serious", "critical")]
