"""Keep a run under its cost cap: an attempt starts only if what it will probably cost still fits."""

from __future__ import annotations

import asyncio

from harness.errors import RunError

UNPRICED = 3
"""So many replies may be lost before the first is priced; then a cap cannot be kept."""


class Purse:
    """Counts the dollars of one run. Without a cap it only counts.

    The forecast for an attempt is the mean of those that finished. Until one has, attempts go one at a time;
    when the next might not fit beside those under way, it waits for one of them to finish. A reply that was
    lost on the way may have been charged: it is reckoned at the dearest so far.
    """

    def __init__(self, cap_usd: float | None, spent_usd: float) -> None:
        self.cap, self.spent = cap_usd, spent_usd
        self._active = 0
        self._finished = 0
        self._finished_usd = 0.0
        self._dearest = 0.0  # of single replies
        self._priced = False
        self._unpriced = 0  # replies lost before one was priced
        self._blind = ""
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
            if usd is not None and self._priced:
                self._finished += 1
                self._finished_usd += usd
            self._changed.notify_all()

    async def check(self) -> None:
        """Raise `RunError` if no further request may be sent, not even for an attempt under way."""
        if self._over():
            raise RunError(self._why())

    async def pay(self, usd: float | None) -> None:
        """Book one new reply; with a cap, a reply of unknown cost is the last."""
        if usd is None:
            self._blind = self._blind or "The server did not report a reply's tokens"
            return
        self.spent += usd
        self._dearest = max(self._dearest, usd)
        if not self._priced:
            self._priced = True
            self.spent += self._unpriced * usd

    async def lose(self) -> float | None:
        """Reckon a reply that was lost on the way; return at how much, None until a reply has a price."""
        if self._priced:
            self.spent += self._dearest
            return self._dearest
        self._unpriced += 1
        if self._unpriced > UNPRICED:
            self._blind = f"The first {self._unpriced} replies were lost on the way and may have been charged"
        return None

    def _over(self) -> bool:
        return self.cap is not None and (self.spent >= self.cap or bool(self._blind))

    def _fits(self) -> bool:
        if self.cap is None or self._over():
            return self.cap is None
        if not self._finished:
            return self._active == 0
        return self.spent + (self._active + 1) * self._finished_usd / self._finished <= self.cap

    def _why(self) -> str:
        assert self.cap is not None  # there is nothing to explain without one
        if self._blind:
            return f"{self._blind}, so the cost cap of ${self.cap:g} cannot be kept."
        mean = (
            f", and an attempt costs about ${self._finished_usd / self._finished:.4g}"
            if self._finished
            else ""
        )
        return f"The cost cap of ${self.cap:g} is reached: ${self.spent:.6g} spent{mean}."
