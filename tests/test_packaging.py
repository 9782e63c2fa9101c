"""The wheel and the sdist hold what they should, and the wheel answers without torch."""

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    words = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return out


def environment(place):
    venv.create(place, with_pip=False)
    return place / "bin" / "python"


def test_wheel_and_sdist_hold_the_package(built):
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = wheel.namelist()
    modules = {str(p.relative_to(ROOT)) for p in (ROOT / "posekit").rglob("*.py")}
    assert modules <= set(names)
    assert not [n for n in names if n.startswith(("tests/", "benchmarks/"))]
    assert any(n.endswith("licenses/LICENSE") for n in names)
    for folder in (ROOT / "posekit" / "zoo" / "shipped").iterdir():
        assert f"posekit/zoo/shipped/{folder.name}/model.safetensors" in names
    assert next(built.glob("*.whl")).stat().st_size < 45e6
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        inside = {n.split("/", 1)[1] for n in sdist.getnames() if "/" in n}
    assert {"pyproject.toml", "README.md", "LICENSE", "Makefile", "constraints.txt"} <= inside


def test_wheel_answers_help_in_an_environment_without_torch(built, tmp_path):
    python = environment(tmp_path / "bare")
    site = next((tmp_path / "bare" / "lib").glob("python3*/site-packages"))
    wheel = next(built.glob("*.whl"))
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(wheel)]
    subprocess.run(words, check=True)
    done = subprocess.run([python, "-m", "posekit", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "train a model" in done.stdout
    done = subprocess.run([python, "-c", "import torch"], capture_output=True, text=True, check=False)
    assert done.returncode != 0, "the environment was meant to have no torch"


@pytest.mark.slow
def test_base_install_works_without_torch(built, tmp_path):
    venv.create(tmp_path / "base", with_pip=True)
    python = tmp_path / "base" / "bin" / "python"
    wheel = next(built.glob("*.whl"))
    subprocess.run([python, "-m", "pip", "install", "--quiet", str(wheel)], check=True)
    script = tmp_path / "base" / "bin" / "posekit"
    assert "train a model" in subprocess.run([script, "--help"], capture_output=True, text=True, check=True).stdout
    done = subprocess.run([script, "train", "topdown-rle"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'posekit[train]'" in done.stderr
    assert "Traceback" not in done.stderr
