"""A kill at any moment leaves a whole checkpoint, and a damaged one is told."""

from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from posekit.training import checkpoint


@pytest.fixture
def engine(fresh_engine):
    made = Accelerator(cpu=True)
    net = nn.Linear(3, 2)
    made.prepare(net, torch.optim.SGD(net.parameters(), lr=0.1))
    return made


def weights(engine):
    return engine._models[0].weight.detach().clone()


def test_what_is_saved_comes_back(engine, tmp_path):
    assert checkpoint.find(tmp_path) is None
    before = weights(engine)
    checkpoint.save(engine, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["last"]
    with torch.no_grad():
        engine._models[0].weight.zero_()
    checkpoint.restore(engine, checkpoint.find(tmp_path))
    assert torch.equal(weights(engine), before)


def test_the_newer_one_is_found_and_the_old_one_between_two_renames(tmp_path):
    (tmp_path / "last.tmp").mkdir()
    assert checkpoint.find(tmp_path) is None
    (tmp_path / "last.old").mkdir()
    assert checkpoint.find(tmp_path).name == "last.old"
    (tmp_path / "last").mkdir()
    assert checkpoint.find(tmp_path).name == "last"


@pytest.mark.parametrize("number", [1, 2])
def test_a_kill_at_any_rename_leaves_a_whole_checkpoint(engine, tmp_path, monkeypatch, number):
    checkpoint.save(engine, tmp_path)
    rename, calls = Path.rename, []

    def killed(self, target):
        calls.append(self.name)
        if len(calls) == number:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(engine, tmp_path)
    checkpoint.restore(engine, checkpoint.find(tmp_path))
    # Going on from there, a kill in the next save must not take away the only whole one either.
    calls[:] = [""] * (number - 1) if (tmp_path / "last").exists() else [""]
    if not (tmp_path / "last").exists():
        number = 2
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(engine, tmp_path)
    checkpoint.restore(engine, checkpoint.find(tmp_path))
    monkeypatch.setattr(Path, "rename", rename)
    checkpoint.save(engine, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["last"]


@pytest.mark.parametrize("damage", [lambda f: f.write_bytes(b"no tensors"), lambda f: f.unlink()])
def test_a_damaged_checkpoint_is_told(engine, tmp_path, damage):
    checkpoint.save(engine, tmp_path)
    damage(tmp_path / "last" / "model.safetensors")
    with pytest.raises(checkpoint.CheckpointError, match=r"last: this checkpoint cannot be resumed \("):
        checkpoint.restore(engine, tmp_path / "last")
