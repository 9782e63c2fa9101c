"""Write `docs/reference.md` and `docs/codecs/` from the code, and the tables of other pages from the result files.

python docs/build.py           writes them
python docs/build.py --check   exit status 1 when they are not what code and results say
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import claims
from codec_pages import FOLDER, pages, stray
from codec_pictures import write_all
from figures import ceiling, settings, systems
from figures import page as figures_page

from posekit.cli.main import COMMANDS
from posekit.codecs import CODECS
from posekit.data.readers import READERS
from posekit.losses import LOSSES
from posekit.metrics.protocols import PROTOCOLS
from posekit.models.backbones import BACKBONES
from posekit.models.heads import HEADS
from posekit.models.necks import NECKS
from posekit.recipes import RECIPES
from posekit.recipes.representations import REPRESENTATIONS
from posekit.skeletons import SKELETONS

PAGE = Path(__file__).parent / "reference.md"
README = Path(__file__).parents[1] / "README.md"
TRAINING = Path(__file__).parent / "training.md"
CLAIMS = Path(__file__).parent / "claims.md"
SYSTEMS = Path(__file__).parent / "systems.md"
OPEN, CLOSE = "<!-- figures: made by make docs -->\n", "<!-- /figures -->"
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
    """Write the pages and pictures, or compare the pages and see that the pictures are there."""
    codecs = pages()
    wanted = {
        PAGE: page(),
        README: _with_figures(README, figures_page()),
        TRAINING: _with_figures(TRAINING, settings("lspe_imagenet", "lspe_one_rate")),
        CLAIMS: _with_figures(CLAIMS, "\n".join((*claims.representations(), *claims.techniques()))),
        SYSTEMS: _with_figures(SYSTEMS, "\n".join((*systems(), *ceiling()))),
        **codecs,
    }
    stale = [file for file, text in wanted.items() if not file.exists() or file.read_text(encoding="utf-8") != text]
    if "--check" in words:
        pictures = [FOLDER / f"{name}.png" for name in REPRESENTATIONS]
        stale += [file for file in pictures if not file.exists() or not file.stat().st_size]
        stale += stray(codecs)
        print(f"not what code and results say, run make docs: {[str(f) for f in stale]}" if stale else "all fresh")
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for file in stale:
        file.write_text(wanted[file], encoding="utf-8")
    for file in stray(codecs):
        file.unlink()
        print(f"removed {file}")
    for file in (*stale, *write_all()):
        print(f"wrote {file}")
    return 0


def _with_figures(file: Path, figures: str) -> str:
    """A page with its tables of figures made anew."""
    before, _, rest = file.read_text(encoding="utf-8").partition(OPEN)
    _, _, after = rest.partition(CLOSE)
    return f"{before}{OPEN}\n{figures}\n{CLOSE}{after}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
