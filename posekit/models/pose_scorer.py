"""Small network that predicts the quality of a pose from its shape: DEKR's scoring network.

Sun et al. 2020, arXiv:2006.15480, section 3.3; kept in DEKR, arXiv:2104.02300.
"""

from __future__ import annotations

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class PoseScorer:
    """Two hidden layers with ReLU and one linear output."""

    features: int = Field(ge=1)
    """size of the input vector, see `posekit.postprocess.rescorer.PoseShape.size`"""
    hidden: int = Field(default=256, ge=1)
    """units of both hidden layers"""

    def build(self) -> PoseScorerNet:
        """The network."""
        return PoseScorerNet(self.features, self.hidden)


class PoseScorerNet(nn.Module):
    """(N, features) to (N,) predicted OKS. State-dict names are those of the authors' repository."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.l1 = nn.Linear(features, hidden)
        self.l2 = nn.Linear(hidden, hidden)
        self.l3 = nn.Linear(hidden, 1)
        self.relu = nn.ReLU()
        for layer in (self.l1, self.l2, self.l3):
            nn.init.kaiming_uniform_(layer.weight, a=1)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Predicted OKS of each pose."""
        score: Tensor = self.l3(self.relu(self.l2(self.relu(self.l1(x))))).squeeze(-1)
        return score
