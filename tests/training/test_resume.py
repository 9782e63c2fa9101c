"""A run killed in the middle of an epoch and resumed equals an unbroken one byte for byte."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from figures import labelled_files

EPOCHS, BATCH, COUNT, EVERY = 2, 8, 64, 2
STEPS = COUNT // BATCH


def command(data: Path, run: Path) -> list[str]:
    everything_random = [
        *("--augment.geometry.flip", "0.5", "--augment.colour.brightness", "0.3", "--augment.drop.probability", "0.5"),
        *("--model.head.dropout", "0.2", "--train.ema", "0.9"),
    ]
    return [
        *(sys.executable, "-m", "posekit", "train", "topdown-regression-tiny", "--data.train", str(data)),
        *("--size", "64", "64", "--train.batch", str(BATCH), "--train.epochs", str(EPOCHS)),
        *("--train.checkpoint-steps", str(EVERY), "--out", str(run), "--device", "cpu", *everything_random),
    ]


def start(words: list[str], log: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with log.open("ab") as file:
        return subprocess.Popen(words, stdout=file, stderr=file, env=environment)


def kill_between(words: list[str], run: Path, after: int, log: Path) -> None:
    """Start, wait until so many checkpoints were written, and kill without warning."""
    process = start(words, log)
    seen, newest = 0, None
    while process.poll() is None and seen < after:
        try:
            written = (run / "last").stat().st_mtime_ns
        except FileNotFoundError:
            written = None
        if written is not None and written != newest:
            seen, newest = seen + 1, written
        time.sleep(0.002)
    assert process.poll() is None, log.read_text()
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_killed_run_resumes_to_the_same_bytes(tmp_path):
    data = labelled_files(tmp_path / "data", count=COUNT * 10 // 9 + 1)
    whole, broken, log = tmp_path / "whole", tmp_path / "broken", tmp_path / "log.txt"
    assert start(command(data, whole), log).wait() == 0, log.read_text()
    after = random.Random().randint(1, EPOCHS * STEPS // EVERY - 3)
    kill_between(command(data, broken), broken, after, log)
    assert not (broken / "report.html").exists(), "the run ended before it was killed"
    assert start([*command(data, broken), "--resume"], log).wait() == 0, log.read_text()
    assert "resumed from" in log.read_text()
    for name in ("metrics.csv", "best/model.safetensors"):
        assert (broken / name).read_bytes() == (whole / name).read_bytes(), f"{name} differs, killed after {after}"
    last = "last/model.safetensors"
    assert (broken / last).read_bytes() == (whole / last).read_bytes()


@pytest.mark.parametrize("name", ["model.safetensors", "custom_checkpoint_0.pkl"])
def test_a_damaged_checkpoint_is_told_in_one_line(tmp_path, name, capsys):
    from posekit.cli.main import main

    data = labelled_files(tmp_path / "data", count=20)
    words = command(data, tmp_path / "run")[3:]
    assert main([*words, "--train.epochs", "1"]) == 0
    (tmp_path / "run" / "last" / name).write_bytes(b"not a checkpoint")
    (tmp_path / "run" / "summary.json").unlink()
    assert main([*words, "--train.epochs", "1", "--resume"]) == 1
    assert "cannot be resumed" in capsys.readouterr().err
