"""Ways to spend calls on a puzzle, joined with "+": how to put the question (a *style*), then how to search with it.

`cot` is one call that thinks aloud; `direct+self-consistency` votes over samples that do not.
"""

from __future__ import annotations

import importlib
from typing import Any

from harness.errors import UserError, did_you_mean

STYLES = {
    "cot": "solvers.llm.strategies.cot:Cot",
    "direct": "solvers.llm.strategies.direct:Direct",
}
SEARCHES = {
    "single": "solvers.llm.strategies.single:Single",
}


def load(name: str) -> Any:
    """Return the class of a style or a search."""
    module, _, attribute = (STYLES | SEARCHES)[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def split(strategy: str) -> tuple[str, str]:
    """Read "cot", "self-consistency" or "direct+self-consistency" as (style, search); left out they are cot and single."""
    style = search = None
    for part in (p.strip() for p in strategy.split("+")):
        if part in STYLES and style is None and search is None:
            style = part
        elif part in SEARCHES and search is None:
            search = part
        elif part in STYLES or part in SEARCHES:
            raise UserError(f"strategy {strategy!r} cannot be read.", rule="It is one style, or one search, or STYLE+SEARCH.")
        else:
            raise UserError(f"strategy {strategy!r} has no part {part!r}.", rule=did_you_mean(part, STYLES | SEARCHES))
    return style or "cot", search or "single"
