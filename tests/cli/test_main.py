import subprocess
import sys

import pytest

from posekit.cli.main import COMMANDS, main


def test_help_lists_every_command(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for name, (_, about) in COMMANDS.items():
        assert name in out
        assert about in out


def test_commands_are_the_ones_we_promise():
    assert list(COMMANDS) == [
        "train",
        "eval",
        "predict",
        "smooth",
        "angles",
        "export",
        "bench",
        "models",
        "prune",
        "study",
        "compare",
        "ablate",
        "codecs",
        "data",
        "doctor",
    ]


@pytest.mark.parametrize(("word", "near"), [("trian", "train"), ("dcotor", "doctor"), ("evla", "eval")])
def test_an_unknown_command_is_answered_with_the_nearest(word, near, capsys):
    assert main([word]) == 2
    assert f"did you mean {near!r}" in capsys.readouterr().err


def test_an_error_is_one_line_without_debug_and_a_traceback_with_it(tmp_path, capsys):
    words = ["predict", str(tmp_path), "--model", str(tmp_path / "none")]
    assert main(words) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "no image there" in err
    with pytest.raises(ValueError, match="no image there"):
        main([*words, "--debug"])


def test_doctor_prints_versions_and_finds_nothing_broken(capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "torch devices: cpu" in out
    assert "onnxruntime providers" in out
    assert "nothing is broken" in out


def test_doctor_names_a_torchvision_that_does_not_import_and_its_cure(monkeypatch):
    from posekit.cli import doctor

    def broken(name):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(doctor.importlib.metadata, "version", lambda name: "0.28.0")
    monkeypatch.setattr(doctor.importlib, "import_module", broken)
    (told,) = doctor._torchvision()
    assert "torchvision::nms does not exist" in told
    assert "pip uninstall torchvision" in told


def test_a_reader_that_closes_the_output_ends_the_command_silently(tmp_path):
    for words in (["--help"], ["predict", "--help"]):
        command = subprocess.Popen(
            [sys.executable, "-m", "posekit", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        command.stdout.close()
        assert command.stderr.read() == b""
        command.stderr.close()
        assert command.wait() == 141
