"""Arrays that hold the state of each instance by id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

State = dict[str, NDArray[Any]]
"""Arrays whose first axis is the instance."""


class Rows:
    """The state of every living instance, ordered by id; a dead one is dropped, so that memory does not grow."""

    def __init__(self) -> None:
        self.ids: NDArray[np.int64] = np.zeros(0, np.int64)
        self.state: State = {}

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, ids: NDArray[np.int64], fresh: Mapping[str, NDArray[Any]]) -> tuple[State, NDArray[np.bool_]]:
        """The state of the given instances.

        Args:
            ids: (N,) distinct.
            fresh: state of N new instances.

        Returns:
            The state in the order of ``ids``, copied, and (N,) bool whether an instance is known; a new one gets
            ``fresh``.
        """
        if not len(self):
            return dict(fresh), np.zeros(len(ids), bool)
        at = np.minimum(np.searchsorted(self.ids, ids), len(self) - 1)
        known = self.ids[at] == ids
        taken = {name: array[at] for name, array in self.state.items()}
        for name, array in taken.items():
            array[~known] = fresh[name][~known]
        return taken, known

    def put(self, ids: NDArray[np.int64], state: State, alive: NDArray[np.bool_]) -> None:
        """Store the state of the given instances.

        Args:
            ids: (N,) as in `take`.
            state: of these instances.
            alive: (M,) bool: which of the rows stored before are kept, if they are not among ``ids``.
        """
        keep = alive & ~np.isin(self.ids, ids)
        if not keep.any():
            order = np.argsort(ids)
            self.ids, self.state = ids[order], {name: array[order] for name, array in state.items()}
            return
        joined = np.concatenate([self.ids[keep], ids])
        order = np.argsort(joined)
        self.ids = joined[order]
        self.state = {name: np.concatenate([self.state[name][keep], array])[order] for name, array in state.items()}
