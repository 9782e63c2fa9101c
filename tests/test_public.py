"""The public names are a checked-in list: removing or adding one means editing it in the same change."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import posekit


def test_public_names_are_the_checked_in_list():
    assert json.loads((Path(__file__).parent / "public_names.json").read_text()) == posekit.__all__
    assert sorted(posekit.__all__) == posekit.__all__


@pytest.mark.parametrize("name", posekit.__all__)
def test_every_public_name_is_there_and_documented(name):
    assert getattr(posekit, name).__doc__
    assert name in dir(posekit)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        posekit.lode  # noqa: B018


def test_importing_posekit_and_its_command_imports_neither_torch_nor_numpy():
    code = "import sys, posekit, posekit.cli.main; print(sorted({'torch', 'numpy', 'tyro', 'cv2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
