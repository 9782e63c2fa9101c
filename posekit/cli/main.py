"""The `posekit` command: a table of commands, of which only the chosen one is imported."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Sequence

COMMANDS: dict[str, tuple[str, str]] = {
    "train": ("posekit.cli.train:run", "train a model on your labelled images"),
    "eval": ("posekit.cli.evaluate:run", "measure a model on labelled images"),
    "smooth": ("posekit.cli.smooth:run", "steady the points of a file over time: COCO, OpenPose, DeepLabCut, posekit"),
    "angles": ("posekit.cli.angles:run", "angles and bone lengths over time, as tables and pictures"),
    "predict": (
        "posekit.cli.predict:run",
        "predict the points in images or videos; writes them drawn, and the points as files",
    ),
    "export": ("posekit.cli.export:run", "write a model as a file for ONNX Runtime or OpenVINO, and check it"),
    "bench": ("posekit.cli.bench:run", "time models side by side: each stage, start, memory, size and accuracy"),
    "models": ("posekit.cli.models:run", "list the models of posekit, pull one, or convert a published MoveNet"),
    "prune": ("posekit.cli.prune:run", "structured pruning: remove the least important channels of a model"),
    "study": ("posekit.cli.study:run", "run a study of the representations: what holds and what does not"),
    "compare": ("posekit.cli.compare:run", "find the representation for your data and device, or compare results"),
    "ablate": ("posekit.cli.ablate:run", "measure which techniques for small networks help on your data"),
    "codecs": ("posekit.cli.codecs:run", "compare the representations: cost and accuracy of each"),
    "data": ("posekit.cli.data:run", "check labelled data, find wrong labels, or pack it for training elsewhere"),
    "doctor": ("posekit.cli.doctor:run", "what is installed, what is broken, and how to fix it"),
}
"""Name of the command: its function, and one line about it."""


def _table() -> str:
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:<{width}}  {about}" for name, (_, about) in COMMANDS.items())
    return (
        "usage: posekit COMMAND ...\n\n2-D keypoint detection: train, measure, predict.\n\n"
        f"{lines}\n\n`posekit COMMAND --help` for its options; --debug for a traceback of errors; --version.\n"
        "Completion in the shell: posekit --print-completion bash >> ~/.bash_completion, or zsh >> ~/.zshrc."
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status: 0; 1 after an error, printed in one line; 2 if the command line is wrong; 141 if the reader of
        the output, such as ``head``, has closed it.
    """
    try:
        try:
            return _main(argv)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        return 141


def _discard_output() -> None:
    """Send what is still to be printed nowhere, so that Python does not fail when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, ValueError):
        pass
    finally:
        os.close(nowhere)


def _main(argv: Sequence[str] | None) -> int:
    """Choose the command and run it."""
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    if not words or words[0] in ("-h", "--help"):
        print(_table())
        return 0
    if words[0] == "--version":
        from posekit import __version__

        print(f"posekit {__version__}")
        return 0
    if words[0].partition("=")[0] == "--print-completion":
        return _print_completion([*words[0].split("=")[1:], *words[1:]])
    name = words[0]
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; commands: {', '.join(COMMANDS)}"
        print(f"posekit: no command {name!r}{hint}", file=sys.stderr)
        return 2
    return _run(name, words[1:], debug)


def _print_completion(words: list[str]) -> int:
    """Print the script of a shell."""
    from posekit.cli.completion import script

    try:
        print(script(" ".join(words)))
    except ValueError as error:
        print(f"posekit: {error}", file=sys.stderr)
        return 2
    return 0


def _run(name: str, words: list[str], debug: bool) -> int:
    """Run the command; an expected error becomes one line."""
    module, function = COMMANDS[name][0].split(":")
    try:
        status = getattr(importlib.import_module(module), function)(words)
        return int(status or 0)
    except KeyboardInterrupt:
        print(f"posekit {name}: interrupted; what was written stays", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        if debug or (error.name or "").startswith("posekit"):
            raise
        print(f"posekit {name}: {_missing(error)}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        raise
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        if debug:
            raise
        print(f"posekit {name}: {_line(error)}", file=sys.stderr)
        return 1


def _line(error: Exception) -> str:
    """An error on one line; pydantic's without its types and addresses."""
    if type(error).__name__ == "ValidationError":
        from posekit.validation import explain

        return explain(error)  # type: ignore[arg-type]
    return " ".join(str(error).split()) or type(error).__name__


def _missing(error: ModuleNotFoundError) -> str:
    """Which command installs the module that is missing."""
    if error.name is None:
        return _line(error)
    name = error.name.split(".")[0]
    said = str(error)
    if "pip install" in said:
        return said
    from posekit.extras import how_to_install

    return f"this needs {name}: {how_to_install(name)}"


if __name__ == "__main__":
    sys.exit(main())
