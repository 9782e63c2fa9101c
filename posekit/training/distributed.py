"""Rank and number of processes, from the launcher's environment variables."""

from __future__ import annotations

import os


def world() -> int:
    """Number of processes that the launcher started; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def main_process() -> bool:
    """Whether this is the main process, which writes files and prints."""
    return os.environ.get("RANK", "0") == "0"
