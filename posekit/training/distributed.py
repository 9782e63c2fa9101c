"""Which of several processes this is, from what the launcher says; nothing is started."""

from __future__ import annotations

import os


def world() -> int:
    """Number of processes the launcher started; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def main_process() -> bool:
    """Whether this is the process that writes and speaks."""
    return os.environ.get("RANK", "0") == "0"
