"""Learned weights of several losses, from the uncertainty of each task."""

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional as F

from posekit.losses.base import Loss
from posekit.losses.rle import RleNll, RleNll3d

OWN = "auto_weight"
"""Prefix of the names of the terms that hold the weights."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class AutoWeight:
    """One learned weight for each loss, on top of the fixed weights; all terms of a loss share it.

    With ``c^2`` the learned uncertainty of a loss ``L``, 1 at first, `liebel_koerner` adds
    ``L / (2 c^2) + ln(1 + c^2)``, which is never negative, and `kendall` ``L / (2 c^2) + ln(c)``.

    Source: Liebel and Koerner 2018, arXiv:1805.06334; Kendall et al. 2018, arXiv:1705.07115. Differs: ``ln(c^2)`` is
    what is learned, so that no division by 0 can occur.
    """

    kind: Literal["none", "liebel_koerner", "kendall"] = "none"
    "how the weights of several losses are learned; none: the fixed --losses.NAME.weight"

    def build(self, losses: Mapping[str, Loss]) -> "AutoWeights | None":
        """The module with a parameter for each loss, or ``None``.

        Raises:
            ValueError: a loss is not bounded below, so its weight would grow without limit.
        """
        if self.kind == "none":
            return None
        signed = [name for name, loss in losses.items() if isinstance(loss, RleNll | RleNll3d)]
        if signed:
            raise ValueError(
                f"automatic weights need losses that are never negative; {signed} are log-likelihoods: "
                "set --auto-weight.kind none and give --losses.NAME.weight"
            )
        return AutoWeights(self.kind, tuple(losses))


class AutoWeights(nn.Module):
    """See `AutoWeight`.

    Args:
        kind: ``"liebel_koerner"`` or ``"kendall"``.
        names: of the losses; the parameter of each is the logarithm of its ``c^2``.
    """

    def __init__(self, kind: str, names: tuple[str, ...]) -> None:
        super().__init__()
        self.kind = kind
        # Scalars, so that the optimiser applies no weight decay to them.
        self.log_squares = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name in names})

    def forward(self, terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weighted terms, and a regularising term for each loss; minimise their sum.

        Args:
            terms: scalars by name: the name of a loss, or the same followed by a dot and more.

        Returns:
            The same names weighted, then ``auto_weight.NAME`` for each loss.
        """
        scaled = {
            name: 0.5 * torch.exp(-self.log_squares[name.partition(".")[0]]) * term for name, term in terms.items()
        }
        rule = F.softplus if self.kind == "liebel_koerner" else _half
        return scaled | {f"{OWN}.{name}": rule(value) for name, value in self.log_squares.items()}


def _half(value: Tensor) -> Tensor:
    return 0.5 * value
