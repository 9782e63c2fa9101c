"""Parts of a network by name, as in ``head`` or ``backbone.layer1.0``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from torch import nn


def outside(net: nn.Module, names: Iterable[str], where: str) -> dict[str, nn.Module]:
    """Modules outside the named parts, by name, in the order of the network.

    Args:
        net: not changed.
        names: modules to leave out, with everything inside them.
        where: the recipe field with the names, for the message.

    Raises:
        ValueError: there is no such part.
    """
    modules = dict(net.named_modules())
    left_out: set[nn.Module] = set()
    for name in names:
        if name not in modules or not name:
            tops = [top for top, _ in net.named_children()]
            near = difflib.get_close_matches(name, modules, 3) or tops
            raise ValueError(f"{where}: the network has no part {name!r}; there is {', '.join(near)}")
        left_out.update(modules[name].modules())
    return {name: module for name, module in modules.items() if module not in left_out}
