"""The committed reports of `posekit compare`, one row a data set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from figures import RESULTS, row

FOLDER = RESULTS / "compare"


def reports() -> Iterator[str]:
    """What each report recommends, and the order of the methods with their intervals."""
    yield row(
        "data", "images seen by each", "metric", "taken", "cannot be told apart from it", "the others, best first"
    )
    yield row(*["---"] * 6)
    for file in sorted(FOLDER.glob("*.json")):
        found = json.loads(file.read_text(encoding="utf-8"))
        said, metric = found["recommendation"], found["metric"]
        same = said["cannot be told apart from it"]
        others = [name for name in found["ranking"] if name not in (said["take"], *same)]
        yield row(
            f"`{file.stem}`, {found['data']['training instances']:,} instances to train, "
            f"{found['data']['validation instances']} to validate",
            f"{found['plan']['images']:,} ({found['plan']['epochs']} passes)",
            metric,
            _told(found, said["take"]),
            ", ".join(_told(found, name) for name in same),
            ", ".join(f"{name} {_value(found, name)['value']:.3f}" for name in others),
        )
    yield ""


def _told(found: dict[str, Any], name: str) -> str:
    value = _value(found, name)
    return f"{name} {value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f})"


def _value(found: dict[str, Any], name: str) -> dict[str, Any]:
    value: dict[str, Any] = found["methods"][name]["metrics"][found["metric"]]
    return value
