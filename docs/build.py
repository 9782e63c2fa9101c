"""Write `docs/reference.md` from the code: everything that can be chosen by name, in the words of its own docstring.

python docs/build.py           writes the page
python docs/build.py --check   exit status 1 when the page is not what the code says
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from posekit.cli.main import COMMANDS
from posekit.codecs import CODECS
from posekit.data.readers import READERS
from posekit.losses import LOSSES
from posekit.metrics.protocols import PROTOCOLS
from posekit.models.backbones import BACKBONES
from posekit.models.heads import HEADS
from posekit.models.necks import NECKS
from posekit.recipes import RECIPES
from posekit.skeletons import SKELETONS

PAGE = Path(__file__).parent / "reference.md"
HEAD = """# Reference

Made by `make docs` from the code; edit the docstrings, not this page. Every name here is what the command line takes.
"""


def _first(thing: Any) -> str:
    """First sentence of a docstring."""
    text = inspect.getdoc(thing) or ""
    return " ".join(text.split("\n\n")[0].split())


def _source(thing: Any) -> str:
    """Papers that a docstring names, its module's too."""
    text = (inspect.getdoc(thing) or "") + " " + (inspect.getdoc(inspect.getmodule(thing)) or "")
    return ", ".join(dict.fromkeys(re.findall(r"arXiv:\d{4}\.\d{4,5}", text)))


def _table(title: str, header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(header)
    lines = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(row) for row in rows)]
    return f"\n## {title}\n\n" + "\n".join(f"| {line} |" for line in lines) + "\n"


def _described(title: str, things: Mapping[str, Any]) -> str:
    rows = ([f"`{name}`", _first(thing), _source(thing)] for name, thing in things.items())
    return _table(title, ("name", "what", "source"), rows)


def page() -> str:
    """The whole page."""
    skeletons = (
        [
            f"`{name}`",
            str(len(s.points)),
            str(len(s.mirror)),
            str(len(s.bones)),
            "yes" if s.sigmas else "no",
            s.symmetry,
        ]
        for name, s in SKELETONS.items()
    )
    parts = [
        HEAD,
        _table("Commands", ("name", "what"), ([f"`{name}`", about] for name, (_, about) in COMMANDS.items())),
        _table("Recipes", ("name",), ([f"`{name}`"] for name in RECIPES)),
        _described("Codecs", CODECS),
        _described("Losses", LOSSES),
        _described("Backbones", BACKBONES),
        _described("Necks", NECKS),
        _described("Heads", HEADS),
        _table(
            "Metrics",
            ("name", "what", "better"),
            ([f"`{n}`", p.about, "higher" if p.higher else "lower"] for n, p in PROTOCOLS.items()),
        ),
        _table("Skeletons", ("name", "points", "mirror pairs", "bones", "OKS sigmas", "symmetry"), skeletons),
        _table("Label files", ("ending",), ([f"`{ending}`"] for ending in READERS)),
    ]
    return "".join(parts)


def main(words: list[str]) -> int:
    """Write the page, or compare it."""
    text = page()
    if "--check" in words:
        fresh = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
        print(f"{PAGE} is {'what the code says' if fresh else 'not what the code says: make docs'}")
        return 0 if fresh else 1
    PAGE.write_text(text, encoding="utf-8")
    print(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
