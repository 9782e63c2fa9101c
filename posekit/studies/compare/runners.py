"""Where the trainings of a comparison run: in processes on this machine, or as tasks of Ray on a cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from posekit.extras import require

LOCAL = "local"
"""Instead of an address: start Ray on this machine."""


@dataclass(frozen=True)
class Step:
    """A call of `posekit.studies.compare.worker`.

    Args:
        words: its arguments.
        log: file that its output is added to.
        folder: that paths in the arguments and in recipes are relative to.
    """

    words: tuple[str, ...]
    log: Path
    folder: Path


class Runner(Protocol):
    """Runs steps, several at a time."""

    @property
    def jobs(self) -> int:
        """Steps at a time."""

    def run(self, steps: Mapping[str, Step], done: Callable[[str], None]) -> list[str]:
        """Run all steps; returns the names of those that failed.

        Args:
            steps: by name.
            done: told the name of each step that succeeds.
        """


@dataclass(frozen=True)
class Processes:
    """Processes on this machine."""

    jobs: int = 1

    def run(self, steps: Mapping[str, Step], done: Callable[[str], None]) -> list[str]:
        """See `Runner`."""

        def one(name: str) -> bool:
            failed = carried_out(steps[name]) != 0
            if not failed:
                done(name)
            return failed

        with ThreadPoolExecutor(max(self.jobs, 1)) as pool:
            return [name for name, failed in zip(steps, pool.map(one, steps), strict=True) if failed]


class OnRay:
    """Tasks of Ray, each with one CPU, or one GPU for trainings on ``cuda``.

    All machines need posekit, and the folders of the comparison and of the data under the same paths.

    Args:
        address: of the cluster; ``auto``: the one that this machine belongs to; ``local``: one is started here.
        device: of the trainings.

    Raises:
        ModuleNotFoundError: Ray is not installed; the message names the extra.
        ValueError: there is no such cluster, it has none of the devices, or the device is neither ``cpu`` nor ``cuda``.
    """

    def __init__(self, address: str, device: str) -> None:
        if device not in ("cpu", "cuda"):
            raise ValueError(
                f"--ray gives each training a CPU or a GPU of its own: expected --device cpu or cuda, got {device!r}"
            )
        self.ray = require("ray", "--ray")
        if not self.ray.is_initialized():
            try:
                self.ray.init(address=None if address == LOCAL else address, log_to_driver=False)
            except ConnectionError as error:
                raise ValueError(
                    f"--ray {address}: no cluster there ({error}); start one by `ray start --head`, or use --ray local"
                ) from None
        kind = "GPU" if device == "cuda" else "CPU"
        self.needs = {"num_gpus": 1} if kind == "GPU" else {"num_cpus": 1}
        self._jobs = int(self.ray.cluster_resources().get(kind, 0))
        if self._jobs < 1:
            raise ValueError(f"--ray {address}: the cluster has no {kind}, which --device {device} asks for")

    @property
    def jobs(self) -> int:
        """As many as the cluster has devices of the kind."""
        return self._jobs

    def run(self, steps: Mapping[str, Step], done: Callable[[str], None]) -> list[str]:
        """See `Runner`."""
        task = self.ray.remote(carried_out).options(max_retries=0, **self.needs)
        waiting = {task.remote(step): name for name, step in steps.items()}
        failed = []
        while waiting:
            (ready, *_), _ = self.ray.wait(list(waiting))
            name = waiting.pop(ready)
            try:
                status = self.ray.get(ready)
            except self.ray.exceptions.RayError as error:
                # Its machine or its process is gone, or the folders are not there.
                with steps[name].log.open("a", encoding="utf-8") as stream:
                    stream.write(f"the task of Ray ended: {error}\n")
                status = 1
            if status == 0:
                done(name)
            else:
                failed.append(name)
        return [name for name in steps if name in failed]


def carried_out(step: Step) -> int:
    """Run a step in a process of its own with one thread; returns its exit status."""
    environment = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    command = [sys.executable, "-m", "posekit.studies.compare.worker", *step.words]
    with step.log.open("a", encoding="utf-8") as stream:
        made = subprocess.run(command, cwd=step.folder, stdout=stream, stderr=stream, env=environment, check=False)
    return made.returncode
