"""What went wrong in another process, in a form that can be sent: not every exception survives a pickle."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from harness.errors import RunError, UserError


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What a worker met; `kind` is "user", "run" or "bug"."""

    kind: str
    what: str
    rule: str = ""
    next_step: str = ""
    trace: str = ""

    def raised(self) -> Exception:
        """Return the exception to raise here."""
        if self.kind == "user":
            return UserError(self.what, rule=self.rule, next_step=self.next_step)
        if self.kind == "run":
            return RunError(self.what, rule=self.rule, next_step=self.next_step)
        error = RuntimeError(self.what)
        error.add_note(f"In a worker:\n{self.trace}")
        return error


def failure(error: BaseException) -> Failure:
    """Return an exception in a form that can be sent."""
    if isinstance(error, UserError | RunError):
        kind = "user" if isinstance(error, UserError) else "run"
        return Failure(kind=kind, what=error.what, rule=error.rule, next_step=error.next_step)
    return Failure(kind="bug", what=f"{type(error).__name__}: {error}", trace=traceback.format_exc())
