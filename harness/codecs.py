"""What a grid codec's symmetries are: index tables that a net's batch goes through in one gather."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Symmetries:
    """n symmetries of a grid task as two index tables, applied in one gather on whatever device the tokens
    are.

    positions: int64 (n, L), a permutation of cells per row. tokens: int64 (n, V), a relabelling of token
    values per row. A symmetry maps a sequence x to y with y[j] = tokens[x[positions[j]]].
    """

    def __init__(self, positions: NDArray[np.int64], tokens: NDArray[np.int64]) -> None:
        self.positions, self.tokens = positions, tokens

    def __len__(self) -> int:
        return len(self.positions)

    def apply(self, x: NDArray[Any]) -> NDArray[np.int64]:
        """Map sequences x, int (n, L), row i by symmetry i. Negative values (ignored labels) are kept."""
        import numpy as np

        moved = np.take_along_axis(np.asarray(x, dtype=np.int64), self.positions, axis=1)
        return np.where(moved < 0, moved, np.take_along_axis(self.tokens, np.maximum(moved, 0), axis=1))

    def inverse(self) -> Symmetries:
        """Return the symmetries that undo these."""
        import numpy as np

        return Symmetries(np.argsort(self.positions, axis=1), np.argsort(self.tokens, axis=1))
