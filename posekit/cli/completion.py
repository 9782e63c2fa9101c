"""`posekit --print-completion bash`: a script that completes commands, their options, recipes and models."""

from __future__ import annotations

import importlib

from posekit.cli.flags import flags
from posekit.cli.main import COMMANDS

SHELLS = ("bash", "zsh")

OPTIONS = {
    "train": "posekit.cli.arguments:First",
    "train mtcnn": "posekit.cli.train_mtcnn:Options",
    "train temporal": "posekit.cli.train_temporal:Options",
    "eval": "posekit.cli.evaluate:Options",
    "predict": "posekit.cli.predict:Options",
    "smooth": "posekit.cli.smooth:Options",
    "angles": "posekit.cli.angles:Options",
    "export": "posekit.cli.export:Options",
    "bench": "posekit.cli.bench:Options",
    "models list": "posekit.cli.models:Listing",
    "models info": "posekit.cli.models:Info",
    "models pull": "posekit.cli.models:Pull",
    "models convert": "posekit.cli.models:Convert",
    "prune": "posekit.cli.prune:Options",
    "study": "posekit.cli.study:Options",
    "compare": "posekit.cli.compare:Options",
    "ablate": "posekit.cli.ablate:Options",
    "codecs": "posekit.cli.codecs:Options",
    "data check": "posekit.cli.data:Check",
    "data review": "posekit.cli.review:Review",
    "data pack": "posekit.cli.data:Pack",
    "doctor": "",
}
"""Command or sub-command: the dataclass of its options."""

SCRIPT = """# Completion of posekit. bash: put this into ~/.bash_completion; zsh: into ~/.zshrc, after compinit.
{start}_posekit() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" command="${{COMP_WORDS[1]}}" words=""
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{commands}"
    else
        case "$command ${{COMP_WORDS[2]}}" in
{cases}
        esac
        case "$command" in
{names}
        esac
    fi
    COMPREPLY=( $(compgen -W "$words" -- "$current") )
    if [ ${{#COMPREPLY[@]}} -eq 0 ]; then
        COMPREPLY=( $(compgen -f -- "$current") )
    fi
}}
complete -o filenames -F _posekit posekit
"""


def script(shell: str) -> str:
    """The completion script for a shell.

    Args:
        shell: one of `SHELLS`.

    Raises:
        ValueError: another shell.
    """
    if shell not in SHELLS:
        raise ValueError(f"--print-completion takes {' or '.join(SHELLS)}; got {shell or 'nothing'}")
    fields = _fields()
    cases = []
    for command in sorted(OPTIONS, key=lambda name: " " not in name):
        words = [*_flags(OPTIONS[command]), *(fields if command in ("train", "ablate") else []), "--help"]
        cases.append(f"""        "{command}"{"" if " " in command else '" "*'}) words="{" ".join(words)}" ;;""")
    names = [
        f"""        {command}) [ "$COMP_CWORD" -eq 2 ] && [[ "$current" != -* ]] && words="{" ".join(values)}" ;;"""
        for command, values in _first_words().items()
    ]
    start = "autoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else ""
    commands = " ".join((*COMMANDS, "--help", "--version", "--debug", "--print-completion"))
    return SCRIPT.format(start=start, commands=commands, cases="\n".join(cases), names="\n".join(names))


def _flags(where: str) -> list[str]:
    """Flags of a command; none if the packages that it needs are not installed."""
    module, _, name = where.partition(":")
    try:
        return flags(getattr(importlib.import_module(module), name)) if module else []
    except ModuleNotFoundError:
        return []


def _fields() -> list[str]:
    """Flags of the fields of a top-down and of a one-stage recipe; none without torch."""
    try:
        from posekit.cli.recipe_help import options_of
        from posekit.recipes import RECIPES
        from posekit.skeletons import SKELETONS
    except ModuleNotFoundError:
        return []
    made = (RECIPES[name](SKELETONS["coco17"]) for name in ("topdown-dark", "centernet"))
    return list(
        dict.fromkeys(
            word.split()[0] for recipe in made for option in options_of(recipe) for word in option.words.split(", ")
        )
    )


def _first_words() -> dict[str, list[str]]:
    """What may follow a command: sub-commands, recipes."""
    inner: dict[str, list[str]] = {}
    for name in OPTIONS:
        command, _, sub = name.partition(" ")
        if sub:
            inner.setdefault(command, []).append(sub)
    try:
        from posekit.recipes import RECIPES
    except ModuleNotFoundError:
        return inner
    inner["train"] = [*RECIPES, *inner["train"]]
    inner["ablate"] = list(RECIPES)
    inner["study"] = _studies()
    return inner


def _studies() -> list[str]:
    """Names of the studies; none without torch."""
    try:
        from posekit.studies.catalogue import STUDIES
    except ModuleNotFoundError:
        return []
    return [*STUDIES, "all"]
