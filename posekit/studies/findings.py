"""Findings: statements that follow from the numbers of a study, and the two paragraphs that tell them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """A statement and whether the numbers agree with it.

    Args:
        holds: computed from the results.
        claim: the statement, without a full stop.
        numbers: the figures that decide it.
    """

    holds: bool
    claim: str
    numbers: str

    @property
    def text(self) -> str:
        """One sentence.

        >>> Finding(True, "Water is wet", "1 of 1").text
        'Water is wet (1 of 1).'
        """
        return f"{self.claim} ({self.numbers})."


def paragraphs(findings: Sequence[Finding]) -> str:
    """Two paragraphs: the statements that hold, and those that do not.

    >>> print(paragraphs([Finding(True, "A", "1"), Finding(False, "B", "2")]))
    **Holds here.** A (1).
    <BLANKLINE>
    **Does not hold here.** B (2).
    """
    parts = []
    for holds, title in ((True, "Holds here"), (False, "Does not hold here")):
        said = [finding.text for finding in findings if finding.holds is holds]
        parts.append(f"**{title}.** {' '.join(said) if said else 'None of the statements tested.'}")
    return "\n\n".join(parts)
