"""The completion script, run by the shells themselves."""

import importlib
import shutil
import subprocess

import pytest

from posekit.cli.completion import OPTIONS, script
from posekit.cli.flags import flags
from posekit.cli.main import COMMANDS, main


def completed(*words):
    """What bash offers after these words."""
    line = " ".join(f"'{word}'" for word in words)
    ask = f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _posekit; printf '%s\\n' ${{COMPREPLY[@]}}"
    run = f"{script('bash')}\n{ask}"
    found = subprocess.run(["bash", "-c", run], capture_output=True, text=True, check=True)
    assert not found.stderr
    return found.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["posekit", "pre"], ["predict"]),
        (["posekit", "data", ""], ["check", "review", "pack"]),
        (["posekit", "models", "c"], ["convert"]),
        (["posekit", "export", "--in"], ["--int8"]),
        (["posekit", "train", "topdown-dark"], ["topdown-dark", "topdown-dark-tiny"]),
        (["posekit", "train", "mt"], ["mtcnn"]),
        (["posekit", "train", "topdown-dark", "--train.ep"], ["--train.epochs"]),
        (["posekit", "train", "topdown-dark", "--data.tr"], ["--data.train"]),
        (["posekit", "train", "mtcnn", "--fi"], []),
        (["posekit", "data", "check", "--ca"], ["--category"]),
        (["posekit", "predict", "photo.jpg", "--no-"], ["--no-pictures"]),
        (["posekit", "predict", "--mod"], ["--model"]),
        (["posekit", "study", "gr"], ["gradients", "grids"]),
        (["posekit", "study", "grids", "--q"], ["--quick"]),
    ],
)
def test_bash_completes(words, offered):
    assert completed(*words) == offered


def test_files_are_completed_where_no_word_fits(tmp_path, monkeypatch):
    (tmp_path / "labels.json").touch()
    monkeypatch.chdir(tmp_path)
    assert completed("posekit", "train", "topdown-dark", "--data.train", "lab") == ["labels.json"]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh")
def test_zsh_takes_the_script():
    run = f"autoload -U compinit && compinit -u\n{script('zsh')}"
    assert subprocess.run(["zsh", "-f", "-c", run], capture_output=True, text=True, check=True).stderr == ""


def test_every_command_and_its_options_are_there():
    assert {name.split(" ")[0] for name in OPTIONS} == set(COMMANDS)
    for where in filter(None, OPTIONS.values()):
        module, _, name = where.partition(":")
        for flag in flags(getattr(importlib.import_module(module), name)):
            assert flag in script("bash")


def test_the_flags_of_a_command_are_those_of_its_help(capsys):
    from posekit.cli.predict import Options

    with pytest.raises(SystemExit):
        main(["predict", "--help"])
    shown = capsys.readouterr().out
    named = flags(Options)
    assert named[:3] == ["--model", "--weights", "--boxes"] and "--source" not in named
    assert all(flag in shown for flag in named)


def test_the_command_prints_it(capsys):
    assert main(["--print-completion", "bash"]) == 0
    assert capsys.readouterr().out == script("bash") + "\n"
    assert main(["--print-completion=zsh"]) == 0
    assert "bashcompinit" in capsys.readouterr().out
    for words in (["--print-completion"], ["--print-completion", "fish"]):
        assert main(words) == 2
        assert "--print-completion takes bash or zsh" in capsys.readouterr().err
    assert main(["--help"]) == 0
    assert "--print-completion bash" in capsys.readouterr().out
