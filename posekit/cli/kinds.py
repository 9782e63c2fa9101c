"""Types of options that may be left out, with names for the help instead of ``{None}|PATH``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

OneFile = Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="")]
Text = Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")]
Number = Annotated[float | None, tyro.conf.arg(metavar="FLOAT", help_behavior_hint="")]
Count = Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="")]
Numbers = Annotated[tuple[float, ...], tyro.conf.arg(metavar="FLOAT [FLOAT ...]", help_behavior_hint="")]
Texts = Annotated[tuple[str, ...], tyro.conf.arg(metavar="TEXT [TEXT ...]", help_behavior_hint="")]
Files = Annotated[tuple[Path, ...], tyro.conf.arg(metavar="PATH [PATH ...]", help_behavior_hint="")]
Switch = Annotated[bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help_behavior_hint="")]
Choice = Annotated[bool | None, tyro.conf.arg(metavar="True|False", help_behavior_hint="")]
