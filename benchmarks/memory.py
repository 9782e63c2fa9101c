"""How much memory a call needs at its worst, counted at torch's allocator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.profiler import ProfilerActivity, profile


def peak_bytes(call: Callable[[], Any]) -> int:
    """The most bytes that tensors made inside a call hold at once, its result among them.

    torch's profiler reports every block that the CPU allocator gives out or takes back, temporaries inside operators
    too; their running sum from the start of the call is followed to its highest. What existed before, and what Python
    or NumPy allocate, does not count. The call runs twice: once so that nothing is made for the first time.
    """
    call()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        result = call()
    del result
    results = profiler.profiler.kineto_results  # type: ignore[union-attr]
    changes = [(event.start_ns(), event.nbytes()) for event in results.events() if event.name() == "[memory]"]
    held = most = 0
    for _, change in sorted(changes, key=lambda pair: pair[0]):
        held += change
        most = max(most, held)
    return most
