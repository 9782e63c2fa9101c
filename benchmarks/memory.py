"""Peak memory of a call, from torch's allocator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.profiler import ProfilerActivity, profile


def peak_bytes(call: Callable[[], Any]) -> int:
    """Peak bytes of tensors allocated inside a call, with its result.

    torch's profiler reports every block that the CPU allocator allocates or frees, temporaries inside operators
    too; the result is the maximum of their running sum. What existed before, and what Python
    or NumPy allocate, does not count. The call runs twice; the first run is a warm-up.
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
