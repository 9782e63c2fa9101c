"""One tiny trained model for all tests of the command line that need one."""

import pytest
from figures import labelled_files

from posekit.cli.main import main


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    return labelled_files(tmp_path_factory.mktemp("data"), count=24)


@pytest.fixture(scope="session")
def trained(data, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "tiny"
    words = ["train", "topdown-dark-tiny", "--data.train", str(data), "--data.val", str(data), "--out", str(run)]
    assert main([*words, "--size", "64", "64", "--train.epochs", "1", "--train.batch", "8", "--device", "cpu"]) == 0
    return run
