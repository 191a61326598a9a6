"""Ways to spend calls on a puzzle, joined with "+": how to put the question (a *style*), then how to sample
with it.

`cot` is one call that thinks aloud; `direct+self-consistency` votes over samples that do not.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from harness.errors import UserError, did_you_mean
from harness.options import first_paragraph
from solvers.llm.strategies.base import Sampling, Style

STYLES = {
    "code": "solvers.llm.strategies.code:Code",
    "cot": "solvers.llm.strategies.cot:Cot",
    "direct": "solvers.llm.strategies.direct:Direct",
    "few-shot": "solvers.llm.strategies.few_shot:FewShot",
}
SAMPLINGS = {
    "best-of-n": "solvers.llm.strategies.best_of_n:BestOfN",
    "refine": "solvers.llm.strategies.refine:Refine",
    "self-consistency": "solvers.llm.strategies.self_consistency:SelfConsistency",
    "single": "solvers.llm.strategies.single:Single",
    "votes": "solvers.llm.strategies.votes:Votes",
}


OPTIONS = ("samples", "rounds", "examples", "program_seconds", "sandbox")
"""Options that belong to some of them; each names those it needs in `uses`, and those it can do without in
`may_use`.
"""


def load(name: str) -> Any:
    """Return the class of a style or a sampling."""
    module, _, attribute = (STYLES | SAMPLINGS)[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def choices() -> dict[str, str]:
    """Return {style or sampling: what it does and which options it needs}."""
    found = {}
    for name in STYLES | SAMPLINGS:
        kind = load(name)
        needs = f" Needs {', '.join(kind.uses)}." if kind.uses else ""
        told = kind.__doc__ or importlib.import_module(kind.__module__).__doc__
        found[name] = first_paragraph(told) + needs
    return found


def build(strategy: str, options: Mapping[str, Any]) -> tuple[Style, Sampling]:
    """Build the style and the sampling of a strategy. Raise UserError for an option that is missing, or that
    has no effect.
    """
    classes = [load(name) for name in split(strategy)]
    used = {name for found in classes for name in found.uses}
    known = used | {name for found in classes for name in getattr(found, "may_use", ())}
    for name in OPTIONS:
        if name in used and options[name] is None:
            raise UserError(f"The strategy {strategy!r} needs {name}.", next_step=f"Give -S {name}=….")
        if name not in known and options[name] is not None:
            raise UserError(
                f"The strategy {strategy!r} has no {name}.",
                rule="An option that would have no effect is refused.",
            )
        if isinstance(options[name], int | float) and not options[name] > 0:
            raise UserError(f"{name}={options[name]} asks for nothing.", rule="It must be greater than 0.")
    style, sampling = (
        found(**{n: options[n] for n in (*found.uses, *getattr(found, "may_use", ()))}) for found in classes
    )
    return style, sampling


def split(strategy: str) -> tuple[str, str]:
    """Read "cot", "self-consistency" or "direct+self-consistency" as (style, sampling); left out they are
    cot and single.
    """
    style = sampling = None
    for part in (p.strip() for p in strategy.split("+")):
        if part in STYLES and style is None and sampling is None:
            style = part
        elif part in SAMPLINGS and sampling is None:
            sampling = part
        elif part in STYLES or part in SAMPLINGS:
            raise UserError(
                f"strategy {strategy!r} cannot be read.",
                rule="It is one style, or one sampling, or STYLE+SAMPLING.",
            )
        else:
            raise UserError(
                f"strategy {strategy!r} has no part {part!r}.", rule=did_you_mean(part, STYLES | SAMPLINGS)
            )
    return style or "cot", sampling or "single"
