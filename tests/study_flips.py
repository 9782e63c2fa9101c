"""Numbers that decide each finding of each study: for every finding, changes that make it hold, and that make it fail.

A path leads through keys and indices, separated by slashes; a star stands for all of them.
"""

from __future__ import annotations

import copy
from typing import Any

Changes = dict[str, Any]


def changed(results: dict[str, Any], changes: Changes) -> dict[str, Any]:
    """A copy of the results with other numbers; a path that leads nowhere fails."""
    made = copy.deepcopy(results)
    for path, value in changes.items():
        assert _put(made, path.split("/"), value), path
    return made


def _put(inside: Any, path: list[str], value: Any) -> int:
    """How many numbers were changed."""
    keys = list(inside) if isinstance(inside, dict) else list(range(len(inside)))
    chosen = keys if path[0] == "*" else [key for key in keys if str(key) == path[0]]
    if len(path) > 1:
        return sum(_put(inside[key], path[1:], value) for key in chosen)
    for key in chosen:
        inside[key] = value
    return len(chosen)


ROW = "synthetic/*/rows"
EMA, KALMAN = (3, 7, 11, 15), (6, 10, 14, 18)
"""Rows of the study of smoothing at accepted lags of 0, 1, 2 and 4 frames."""


def _row(number: int, cut: float, of_raw: float = 0.5, late: float = 0.9) -> Changes:
    path = f"{ROW}/{number}"
    return {f"{path}/cut/mean": cut, f"{path}/of_raw/mean": of_raw, f"{path}/late/mean": late}


def _cuts(rows: tuple[int, ...], cut: float) -> Changes:
    return {f"{ROW}/{number}/cut/mean": cut for number in rows}


R50 = "costs/resnet 256x192"
FLAT = ("fully connected", "rle", "simcc")
SHAPED = ("heatmap", "focal", "simcc")
CELLS = {"2": (0.5, 0.25), "4": (1.0, 0.5), "8": (2.0, 1.0)}


def _plain(names: tuple[str, ...], value: float, training: str = "as it is") -> Changes:
    return {f"errors/{training}/{name}/*/*": value for name in names}


def _steps(location: str, start: str, **numbers: float | None) -> Changes:
    return {f"runs/{location}/{start}/{name}/*/steps": value for name, value in numbers.items()}


def _shares(name: str, early: float, late: float) -> Changes:
    return {f"runs/{name}/*/early/share": early, f"runs/{name}/*/late/share": late}


RIGHT = {f"maps/{name}/losses/*": 0.0 for name in ("half height", "sigma 1.2", "sigma 1")}
SOME = "trained/*/*/*/error"


def _found(damage: str, heatmap: float, others: float) -> Changes:
    """Shares of points found in damaged images; in undamaged ones it is a half for all."""
    path = f"damaged/{damage}/found"
    half = {"runs/*/*/damaged/none/found": 0.5}
    return half | {f"runs/*/*/{path}": others, f"runs/heatmap/*/{path}": heatmap}


def _human(kind: str, heatmap: float, others: float) -> Changes:
    path = f"empty/{kind}/plausible"
    return {f"runs/*/*/{path}": others, f"runs/heatmap/*/{path}": heatmap}


def _eight(name: str, before: float, after: float) -> Changes:
    """Shares of points found in floats and in 8 bits."""
    return {f"runs/{name}/*/float/found": before, f"runs/{name}/*/8/found": after}


KNOWN = {"runs/*/*/*/plain/all": 1.0}
"""Every network of the study of context has learned."""


def _squares(
    value: float, where: str, *, run: str = "*", name: str = "*", size: str = "0.2", kind: str = "all"
) -> Changes:
    return {f"runs/{run}/{name}/*/squares/{size}/{where}/{kind}": value}


def _seen(background: str, share: float) -> Changes:
    return KNOWN | {"runs/*/*/*/background/as it is": 0.9, f"runs/*/*/*/background/{background}": share}


TOLD = {"guess": 100.0, "runs/*/depth/errors/*": 50.0}
"""Every network of the study of mixed labels has learned depths."""


def _crossed(along: str, name: str, below: int, share: float) -> Changes:
    numbers = {"sizes": [64, 128], "changes": 1, "below": below, "at": 90.0, "low": 80.0, "high": 99.0, "share": share}
    return {f"{along}/{name}/{key}": value for key, value in numbers.items()}


FLIPS: dict[str, list[tuple[Changes, Changes]]] = {
    "quantisation": [
        ({"whole_pixels/floor/4/worst": 3.0}, {"whole_pixels/floor/4/worst": 2.0}),
        ({"simulated/4/*/worst": 3.5}, {"simulated/4/DARK/worst": 0.1}),
        (
            {f"simulated/{s}/nearest cell/mean": pair[0] for s, pair in CELLS.items()}
            | {f"simulated/{s}/quarter step/mean": pair[1] for s, pair in CELLS.items()},
            {"simulated/4/nearest cell/mean": 2.0},
        ),
        ({"simulated/*/*/worst": 0.0}, {"simulated/8/DARK/worst": 1.0}),
        (
            {"simulated/4/*/mean": 0.5},
            {"simulated/4/*/mean": 0.5, "simulated/4/quarter step, quantised label/mean": 1.0},
        ),
        ({"simulated/*/SimCC, 2 bins a pixel/mean": 0.125}, {"simulated/8/SimCC, 2 bins a pixel/mean": 0.3}),
        ({"oks/round": 0.9}, {"oks/round": 0.99}),
    ],
    "mse-trap": [
        (
            {"maps/shift 1/losses/mse": 1.0, "maps/half height/losses/mse": 2.0},
            {"maps/shift 1/losses/mse": 2.0, "maps/half height/losses/mse": 1.0},
        ),
        ({"maps/half height/losses/mse": 99.0, "maps/half height/losses/kl": 99.0}, RIGHT),
        (RIGHT, {"maps/half height/losses/dsnt, distance": 99.0}),
        (
            {f"runs/{name}/*/images": 0.1 for name in SHAPED}
            | {"runs/soft-argmax/*/images": 0.9, "runs/fully connected/*/images": 0.9},
            {f"runs/{name}/*/images": 0.9 for name in SHAPED} | {"runs/soft-argmax/*/images": 0.1},
        ),
        ({"runs/focal/*/disagreeing": 0.4}, {"runs/*/*/disagreeing": 0.0}),
    ],
    "spatial-generalisation": [
        ({}, {"exact/shared/0": 5.0}),
        (_plain(FLAT, 20.0), _plain(FLAT, 1.0)),
        (_plain(("heatmap", "soft-argmax", "dsnt", "grid"), 1.0), _plain(("heatmap",), 20.0)),
        (_plain(("pooled",), 1.0), _plain(("pooled",), 5.0)),
        (
            _plain(FLAT, 20.0) | _plain(FLAT, 1.0, "shifted"),
            _plain(FLAT, 20.0) | _plain(FLAT, 19.0, "shifted"),
        ),
    ],
    "gradients": [
        ({}, {"exact/argmax": 1.0}),
        (_shares("heatmap", 0.9, 0.9), _shares("heatmap", 0.9, 0.1)),
        (_shares("fully connected", 0.08, 0.08), _shares("fully connected", 0.08, 0.9)),
        (_shares("soft-argmax", 0.08, 0.9), _shares("soft-argmax", 0.9, 0.9)),
        (
            _shares("dsnt", 0.5, 0.9) | _shares("soft-argmax", 0.1, 0.9),
            _shares("dsnt", 0.1, 0.9) | _shares("soft-argmax", 0.2, 0.9),
        ),
        (_shares("*", 0.1, 0.1) | _shares("heatmap", 0.9, 0.1), _shares("simcc", 0.99, 0.1)),
    ],
    "head-cost": [
        (
            {f"{R50}/heatmap/head/macs": 20_000_000, f"{R50}/regression/head/macs": 1_000},
            {f"{R50}/heatmap/head/macs": 20_000_000, f"{R50}/regression/head/macs": 1_000_000},
        ),
        ({f"{R50}/heatmap/head/macs": 10**10}, {f"{R50}/heatmap/head/macs": 10**6}),
        (
            {f"{R50}/heatmap/head/by_output": 10**12, f"{R50}/regression/head/by_output": 1},
            {f"{R50}/heatmap/head/by_output": 10, f"{R50}/regression/head/by_output": 10},
        ),
        ({"costs/mobilenet_v2 256x192/heatmap/head/macs": 10**12}, {"costs/*/heatmap/head/macs": 1000}),
        ({f"{R50}/simcc/head/macs": 1}, {f"{R50}/simcc/head/macs": 10**10}),
        ({f"{R50}/regression/head/activations": 1}, {f"{R50}/regression/head/activations": 10**9}),
    ],
    "grids": [
        ({"mixed/*/*/worst": 0.0}, {"mixed/4/ratio, read as ratio/worst": 1.0}),
        (
            {f"mixed/{s}/ratio, read as half_pixel/x": (s - 1) / 2 for s in (2, 4, 8)},
            {"mixed/4/ratio, read as half_pixel/x": 0.0},
        ),
        ({"mixed/4/ratio, read as half_pixel/oks": 0.9}, {"mixed/4/ratio, read as half_pixel/oks": 0.999}),
        ({"mixed/4/half_pixel, read as aligned/mean": 0.01}, {"mixed/4/half_pixel, read as aligned/mean": 1.0}),
        ({f"flip/{s}/ratio/plain": 1.0 - s for s in (2, 4, 8)}, {"flip/4/ratio/plain": 0.0}),
        ({"flip/*/ratio/codec": 0.0}, {"flip/*/ratio/codec": 1.0}),
        ({"flip/*/*/plain": 0.0}, {"flip/2/half_pixel/plain": 1.0}),
    ],
    "gaussians": [
        ({SOME: 0.3, "trained/single cell/0.0/*/error": 2.0}, {SOME: 1.0}),
        (
            {"forms/single cell/0.0": 1.0, "trained/single cell/0.0/*/error": 2.0},
            {"forms/single cell/0.0": 2.0, "trained/single cell/0.0/*/error": 2.0},
        ),
        ({SOME: 1.0, "trained/single cell/4.0/*/error": 9.0}, {SOME: 1.0}),
        (
            {SOME: 1.0, "trained/1/0.0/*/error": 0.5, "trained/2/4.0/*/error": 0.5},
            {SOME: 1.0, "trained/1/0.0/*/error": 0.5, "trained/1/4.0/*/error": 0.5},
        ),
        ({"widths/2/0.1": 0.0}, {"widths/single cell/0.1": 0.0}),
        ({"forms/unbiased/0.0": 0.01, "forms/quantised/0.0": 0.5}, {"forms/unbiased/0.0": 0.5}),
        (
            {"forms/ellipse/0.1": 0.1, "forms/unbiased/0.1": 1.0},
            {"forms/ellipse/0.1": 1.0, "forms/unbiased/0.1": 1.0},
        ),
    ],
    "robustness": [
        *(
            (_found(damage, 0.4, 0.1), _found(damage, 0.05, 0.3))
            for damage in ("none", "occlusion", "blur", "noise", "truncation")
        ),
        *((_human(kind, 0.1, 0.9), _human(kind, 0.95, 0.9)) for kind in ("noise", "backgrounds")),
    ],
    "context": [
        (KNOWN, {"runs/*/*/*/plain/all": 99.0}),
        (
            KNOWN | _squares(5.0, "own") | _squares(2.0, "elsewhere"),
            KNOWN | _squares(5.0, "own") | _squares(5.0, "elsewhere", name="rle"),
        ),
        *(
            (
                KNOWN | _squares(5.0, "own") | _squares(4.0, "elsewhere") | _squares(1.0, "elsewhere", name="heatmap"),
                KNOWN | _squares(5.0, "own") | _squares(4.0, "elsewhere") | _squares(4.9, "elsewhere", name="heatmap"),
            ),
            (
                KNOWN | _squares(5.0, "own") | _squares(4.0, "own", name="heatmap"),
                KNOWN | _squares(5.0, "own"),
            ),
            (
                KNOWN | _squares(5.0, "own", size="0.4") | _squares(8.0, "own", size="0.4", name="heatmap"),
                KNOWN | _squares(5.0, "own", size="0.4"),
            ),
        ),
        (
            KNOWN | _squares(5.0, "own", run="as it is") | _squares(4.0, "own", run="with hidden points"),
            KNOWN | _squares(5.0, "own", run="as it is") | _squares(6.0, "own", run="with hidden points"),
        ),
        (
            KNOWN | {"guesses/*/linear/all": 2.0} | _squares(1.0, "own"),
            KNOWN | {"guesses/*/linear/all": 2.0} | _squares(5.0, "own"),
        ),
        *(
            [
                KNOWN
                | _squares(9.0, "own", kind="distal")
                | _squares(1.0, "elsewhere", kind="*")
                | _squares(own, "own", kind="proximal")
                for own in (2.0, 12.0)
            ],
        ),
        (_seen("grey", 0.5), _seen("grey", 0.9)),
        (_seen("of another image", 0.5), _seen("of another image", 0.9)),
        ({"photos/squares/*/all/low": 1.0}, {"photos/squares/0.1/all/low": -1.0}),
        (
            {"photos/squares/0.2/distal/low": 5.0, "photos/squares/0.2/proximal/high": 4.0},
            {"photos/squares/0.2/distal/low": 5.0, "photos/squares/0.2/proximal/high": 6.0},
        ),
        (
            {"photos/squares/0.4/proximal/own": 1.5, "photos/squares/0.4/proximal/elsewhere": 1.0},
            {"photos/squares/0.4/proximal/own": 9.0, "photos/squares/0.4/proximal/elsewhere": 1.0},
        ),
    ],
    "mixed-3d": [
        (TOLD, {"guess": 100.0, "runs/*/depth/errors/*": 95.0}),
        ({"runs/*/xy/gain/low": 0.1}, {"runs/integral/xy/gain/low": -0.1}),
        (TOLD | {"runs/*/depth/gain/low": 1.0}, TOLD | {"runs/integral/depth/gain/low": -1.0}),
        (TOLD, TOLD | {"runs/integral/depth/errors/mixed": 70.0}),
        (TOLD | {"runs/unweighted volume/depth/errors/mixed": 95.0}, TOLD),
        (TOLD | {"runs/regression/depth/errors/mixed": 40.0}, TOLD | {"runs/regression/depth/errors/mixed": 60.0}),
        (
            {"runs/*/xy/errors/mixed": 3.0, "runs/regression/xy/errors/mixed": 2.0},
            {"runs/*/xy/errors/mixed": 3.0, "runs/regression/xy/errors/mixed": 4.0},
        ),
        ({"memory/*/regression/*/step": 1000}, {"memory/64x64/regression/3-D/step": 10**9}),
        (
            {"memory/256x192/*/2-D/step": 1000, "memory/256x192/*/3-D/step": 2000},
            {"memory/256x192/*/2-D/step": 1000, "memory/256x192/*/3-D/step": 1100},
        ),
    ],
    "resolution": [
        ({"guess": 100.0, "errors/*/*": 10.0}, {"guess": 100.0, "errors/*/*": 10.0, "errors/simcc/64": 90.0}),
        ({"gains/*/low": 1.0}, {"gains/rle/low": -1.0}),
        *(
            (_crossed("crossings", name, -1, 1.0), _crossed("crossings", name, 1, 1.0))
            for name in ("simcc", "dsnt", "rle")
        ),
        *(
            (_crossed("stride_crossings", name, 1, 1.0), _crossed("stride_crossings", name, 1, 0.5))
            for name in ("simcc", "dsnt", "rle")
        ),
        (
            {"strides/heatmap/64/2": 1.0, "strides/heatmap/64/4": 2.0},
            {"strides/heatmap/64/2": 2.0, "strides/heatmap/64/4": 2.0},
        ),
        (
            {"strides/*/64/4": 1.0, "strides/heatmap/64/16": 3.0, "strides/dsnt/64/16": 1.1},
            {"strides/*/64/4": 1.0, "strides/heatmap/64/16": 3.0, "strides/dsnt/64/16": 4.0},
        ),
    ],
    "normalisation": [
        (
            {"zero_output/centred objects/centred": 1.0, "zero_output/centred objects/unit": 10.0},
            {"zero_output/centred objects/centred": 10.0, "zero_output/centred objects/unit": 1.0},
        ),
        *(
            (_steps(location, "zero", centred=10.0, unit=50.0), _steps(location, "zero", centred=None, unit=50.0))
            for location in ("centred objects", "off-centre objects")
        ),
        (_steps("*", "zero", centred=10.0, signed=5.0), _steps("*", "zero", centred=10.0, signed=None)),
        (
            _steps("centred objects", "zero", centred=10.0) | _steps("centred objects", "default", centred=50.0),
            _steps("centred objects", "zero", centred=60.0) | _steps("centred objects", "default", centred=50.0),
        ),
    ],
    "smoothing": [
        (_row(7, 0.5), _row(7, 0.5, 1.2)),
        (_cuts(KALMAN, 0.8) | _cuts(EMA, 0.7), _cuts(KALMAN, 0.8) | _cuts(EMA, 0.7) | _cuts((11,), 0.9)),
        (_row(10, 0.75), _row(10, 0.75, late=1.2)),
        (_row(10, 0.75), _row(10, 0.6)),
        (_row(1, 0.2, 0.9) | _row(2, 0.2, 0.9), _row(1, 0.2, 0.9) | _row(2, 0.2, 1.1)),
        (_cuts((19, 21), 0.9), _cuts((19,), 0.8) | _cuts((21,), 0.9)),
    ],
    "int8": [
        *(
            (_eight(name, 0.5, 0.5), _eight(name, 0.5, 0.4))
            for name in ("heatmap, DARK", "SimCC", "DSNT", "regression", "RLE")
        ),
        (
            {"runs/*/*/8/moved": 0.1, "runs/RLE/*/8/moved": 0.2},
            {"runs/*/*/8/moved": 0.1, "runs/DSNT/*/8/moved": 0.2},
        ),
        (
            {"runs/*/*/float/found": 0.5, "runs/*/*/5/found": 0.3, "runs/heatmap, DARK/*/5/found": 0.4},
            {"runs/*/*/float/found": 0.5, "runs/*/*/5/found": 0.3, "runs/RLE/*/5/found": 0.4},
        ),
        *(
            (
                {f"runs/{name}/*/8/moved": 0.4, f"runs/{name}/*/8, head in floats/moved": 0.1},
                {f"runs/{name}/*/8/moved": 0.4, f"runs/{name}/*/8, head in floats/moved": 0.3},
            )
            for name in ("SimCC", "regression")
        ),
        (
            {"trained/*/fp32": 0.3, "trained/*/int8": 0.2, "trained/heatmap, DARK/int8": 0.3},
            {"trained/*/fp32": 0.3, "trained/*/int8": 0.2},
        ),
    ],
}
