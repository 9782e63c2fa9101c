"""What each representation's head costs: multiply-accumulates, parameters and memory, beside the backbone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from posekit.geometry.skeleton import Skeleton
from posekit.models.base import PoseNet
from posekit.models.compress.count import measure
from posekit.models.topdown import TopDown
from posekit.recipe import Recipe
from posekit.recipes.topdown import PLAIN, topdown
from posekit.skeletons import SKELETONS
from posekit.studies.codecs import thousands
from posekit.studies.findings import Finding, paragraphs
from posekit.studies.study import Results
from posekit.visualize.bars import grouped_bars
from posekit.visualize.charts import line_chart
from posekit.visualize.panels import sheet
from posekit.visualize.report import Table

CLAIM = "Regression's head costs 1/20000 of a heatmap's for ResNet-50."

SIZES = ((256, 192), (128, 96), (64, 64))
COMPARED = ("heatmap", "udp_combined", "dsnt", "grid", "simcc", "dfl", "rle", "regression")
BACKBONES = ("resnet", "mobilenet_v2", "mobilenet_v3", "shufflenet_v2", "hrnet")
QUICK_BACKBONES = ("resnet", "mobilenet_v2")
BYTES = 4
"""Of a float32."""


def recipe_of(representation: str, backbone: str, size: tuple[int, int], skeleton: Skeleton) -> Recipe:
    """The plain recipe: SimpleBaseline's deconvolutions for maps, the backbone's last map for other heads."""
    return topdown("cost", PLAIN, representation, skeleton, size=size, backbone=backbone)


def costs(recipe: Recipe) -> dict[str, Any]:
    """Costs of one image, without computing anything.

    Returns:
        For ``backbone`` and ``head`` (with the neck): ``macs``, ``by_output`` (transposed convolutions counted by their
        output, as in HRNet's tables), ``parameters`` and ``activations`` (bytes of the outputs of all layers, float32:
        what training keeps).
    """
    model = recipe.model
    assert isinstance(model, TopDown)
    with torch.device("meta"):
        net = model.build(recipe.codec.shapes, weights=False)
    parts = measure(net, model.size)
    numbers = outputs(net, model.size)
    told: dict[str, Any] = {}
    for name, members in (("backbone", ("backbone",)), ("head", ("neck", "head"))):
        found = [parts[member] for member in members if member in parts]
        told[name] = {
            "macs": sum(cost.macs for cost in found),
            "by_output": sum(cost.by_output for cost in found),
            "parameters": sum(cost.parameters for cost in found),
            "activations": BYTES * sum(numbers[member] for member in members),
        }
    return told


def outputs(net: PoseNet, size: tuple[int, int]) -> dict[str, int]:
    """How many numbers the layers of each child of a network on the meta device give for one image."""
    counts = {name: 0 for name, _ in net.named_children()}
    with _counting(net, counts), torch.no_grad():
        net(torch.zeros(1, 3, *size, device="meta"))
    return counts


@contextmanager
def _counting(net: PoseNet, counts: dict[str, int]) -> Iterator[None]:
    hooks = []
    for name, child in net.named_children():
        for layer in child.modules():
            if not list(layer.children()):
                hooks.append(layer.register_forward_hook(_hook(counts, name)))
    mode = net.training
    net.eval()
    try:
        yield
    finally:
        net.train(mode)
        for hook in hooks:
            hook.remove()


def _hook(counts: dict[str, int], name: str) -> Any:
    def count(layer: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        given = [part for value in inputs for part in (value if isinstance(value, list) else [value])]
        # Layers that pass a map on, or change it in place, keep nothing of their own.
        if isinstance(output, Tensor) and not any(output is part for part in given):
            counts[name] += output.numel()

    return count


def run(quick: bool, seed: int) -> Results:
    """Every head on two (quick) or five backbones at three sizes, for COCO's 17 points; ``seed`` changes nothing.

    A head that a backbone has no map for is left out, with the reason under ``faults``.
    """
    skeleton = SKELETONS["coco17"]
    table: dict[str, Any] = {}
    faults: dict[str, dict[str, str]] = {}
    for backbone in QUICK_BACKBONES if quick else BACKBONES:
        for size in SIZES:
            key = f"{backbone} {size[0]}x{size[1]}"
            table[key], faults[key] = {}, {}
            for name in COMPARED:
                try:
                    table[key][name] = costs(recipe_of(name, backbone, size, skeleton))
                except ValueError as error:
                    faults[key][name] = " ".join(str(error).split())
    return {"costs": table, "faults": {key: found for key, found in faults.items() if found}}


def ratio(results: Results, count: str = "macs", key: str = "resnet 256x192", other: str = "regression") -> float:
    """A heatmap's head over another's."""
    found = results["costs"][key]
    return float(found["heatmap"]["head"][count] / found[other]["head"][count])


def whole(results: Results, count: str = "macs", key: str = "resnet 256x192", other: str = "regression") -> float:
    """A network with heatmaps over one with another head."""
    found = results["costs"][key]
    heatmap, rest = found["heatmap"], found[other]
    both = [part["backbone"][count] + part["head"][count] for part in (heatmap, rest)]
    return float(both[0] / both[1])


def findings(results: Results) -> list[Finding]:
    """What the numbers say."""
    heads, networks = ratio(results), whole(results)
    by_output = ratio(results, "by_output"), whole(results, "by_output")
    heatmap = results["costs"]["resnet 256x192"]["heatmap"]
    tables = (heatmap["backbone"]["by_output"] + heatmap["head"]["by_output"]) / 2**30
    small = {key: whole(results, key=key) for key in results["costs"]}
    most = max(small, key=lambda key: small[key])
    memory = {name: c["head"]["activations"] for name, c in results["costs"]["resnet 256x192"].items()}
    simcc = results["costs"]["resnet 256x192"]["simcc"]["head"]["macs"]
    return [
        Finding(
            15_000 < heads < 25_000,
            "The head of regression costs 1/20000 of a heatmap's, for ResNet-50 at 256x192",
            f"1/{heads:,.0f} of {thousands(heatmap['head']['macs'])} multiply-accumulates; with a spread for each "
            f"coordinate, as in RLE, 1/{ratio(results, other='rle'):,.0f}",
        ),
        Finding(
            networks > 2,
            "Networks differ as much: with heatmaps the same backbone costs more than twice as much",
            f"{networks:.2f} times",
        ),
        Finding(
            by_output[0] > 3 * heads,
            "The convention of counting decides the figure: counting transposed convolutions by their output, as in "
            "HRNet's tables, makes the heatmap's head several times as dear",
            f"1/{by_output[0]:,.0f} for heads and {by_output[1]:.2f} times for networks; {tables:.2f} "
            '"GFLOPs" in these tables',
        ),
        Finding(
            small[most] > 5,
            "With a light backbone the deconvolutions of a heatmap dominate the network",
            f"{most}: {small[most]:.1f} times the cost of regression's network",
        ),
        Finding(
            simcc < 0.05 * heatmap["head"]["macs"],
            "SimCC's head is nearly as light as regression's",
            f"{thousands(simcc)} multiply-accumulates, {100 * simcc / heatmap['head']['macs']:.1f} % of a heatmap's",
        ),
        Finding(
            memory["regression"] < 0.01 * memory["heatmap"],
            "Regression's head keeps less than a hundredth of the memory for training",
            f"{thousands(memory['regression'])}B against {thousands(memory['heatmap'])}B an image",
        ),
    ]


def verdict(results: Results) -> str:
    """See `Study.verdict`."""
    return paragraphs(findings(results))


def table(results: Results) -> Table:
    """Costs of every head, by backbone and size."""
    rows = []
    for key, found in results["costs"].items():
        for name, cost in found.items():
            head, backbone = cost["head"], cost["backbone"]
            rows.append(
                [
                    key,
                    name,
                    thousands(head["macs"]),
                    thousands(head["by_output"]),
                    thousands(head["parameters"]),
                    f"{thousands(head['activations'])}B",
                    thousands(backbone["macs"]),
                    f"{(head['macs'] + backbone['macs']) / backbone['macs']:.2f}",
                ]
            )
    for key, reasons in results["faults"].items():
        rows += [[key, name, "cannot be built", *[""] * 5] for name in reasons]
    header = (
        *("backbone and size", "representation", "head MACs", "by output", "head weights", "head activations"),
        *("backbone MACs", "whole over backbone"),
    )
    return Table("Costs of one image, 17 points", header, rows)


def plot(results: Results, file: Path) -> None:
    """Networks relative to their backbone at the largest size, and the cost of each head against size."""
    largest = f"{SIZES[0][0]}x{SIZES[0][1]}"
    backbones = [key.split()[0] for key in results["costs"] if key.endswith(largest)]
    groups = {
        name: {b: 1 + _over(results["costs"][f"{b} {largest}"][name]) for b in backbones}
        for name in ("heatmap", "simcc", "regression")
    }
    curves = {
        name: [(h * w, results["costs"][f"resnet {h}x{w}"][name]["head"]["macs"]) for h, w in reversed(SIZES)]
        for name in COMPARED
        if name not in ("udp_combined", "dsnt")
    }
    bars = grouped_bars(f"MACs of network over backbone, {largest}", groups, "ratio")
    chart = line_chart("MACs of the head, ResNet-50", curves, log=True, x_label="pixels of the input", y_label="MACs")
    file.write_text(sheet([bars, chart]), encoding="utf-8")


def _over(cost: dict[str, Any]) -> float:
    """Multiply-accumulates of the head over those of the backbone."""
    return float(cost["head"]["macs"] / cost["backbone"]["macs"])
