"""Keep a run under its cost cap: an attempt starts only if what it will probably cost still fits."""

from __future__ import annotations

import asyncio

from harness.errors import RunError


class Purse:
    """Counts the dollars of one run. Without a cap it only counts.

    The forecast for an attempt is the mean of those that finished. Until one has, attempts go one at a time;
    when the next might not fit beside those under way, it waits for one of them to finish.
    """

    def __init__(self, cap_usd: float | None, spent_usd: float) -> None:
        self.cap, self.spent = cap_usd, spent_usd
        self._active = 0
        self._finished = 0
        self._finished_usd = 0.0
        self._blind = False
        self._changed = asyncio.Condition()

    async def start(self) -> None:
        """Wait until one more attempt fits. Raise `RunError` when it never will."""
        if self.cap is None:
            return
        async with self._changed:
            await self._changed.wait_for(lambda: self._fits() or self._active == 0 or self._over())
            if not self._fits():
                raise RunError(self._why())
            self._active += 1

    async def finish(self, usd: float | None) -> None:
        """End an attempt that paid `usd` for new replies; None if it paid nothing."""
        if self.cap is None:
            return
        async with self._changed:
            self._active -= 1
            if usd is not None:
                self._finished += 1
                self._finished_usd += usd
            self._changed.notify_all()

    def check(self) -> None:
        """Raise `RunError` if no further request may be sent, not even for an attempt under way."""
        if self._over():
            raise RunError(self._why())

    def pay(self, usd: float | None) -> None:
        """Book one new reply; with a cap, a reply of unknown cost is the last."""
        if usd is not None:
            self.spent += usd
        elif self.cap is not None:
            self._blind = True

    def lose(self) -> None:
        """Reckon a reply that was lost on the way at the mean of the attempts so far: it may have been
        charged.
        """
        if self._finished:
            self.spent += self._finished_usd / self._finished

    def _over(self) -> bool:
        return self.cap is not None and (self.spent >= self.cap or self._blind)

    def _fits(self) -> bool:
        if self.cap is None or self._over():
            return self.cap is None
        if not self._finished:
            return self._active == 0
        return self.spent + (self._active + 1) * self._finished_usd / self._finished <= self.cap

    def _why(self) -> str:
        if self._blind:
            return (
                f"The server did not report a reply's tokens, so the cost cap of ${self.cap:g} cannot "
                "be kept."
            )
        mean = (
            f", and an attempt costs about ${self._finished_usd / self._finished:.4g}"
            if self._finished
            else ""
        )
        return f"The cost cap of ${self.cap:g} is reached: ${self.spent:.6g} spent{mean}."
