"""Chain of thought (Wei et al., arXiv 2201.11903), zero-shot (Kojima et al., 2205.11916): reason in the
open, then answer.
"""

from __future__ import annotations

from solvers.llm.prompts import THINK
from solvers.llm.strategies.direct import Direct


class Cot(Direct):
    instruction = THINK
