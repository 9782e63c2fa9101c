"""`posekit doctor`: what is installed, which devices are found, what is broken, and how to fix it."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_PACKAGES = {
    "numpy": "", "opencv-python-headless": "", "onnxruntime": "", "pydantic": "", "tyro": "", "hotcoco": "",
    "msgspec": "", "safetensors": "", "huggingface_hub": "",
    "torch": "train", "accelerate": "train", "tensorboardX": "train",
    "torchvision": "timm", "timm": "timm", "torch-pruning": "prune", "onnx": "export", "openvino": "openvino",
    "nncf": "openvino", "av": "video", "fastapi": "serve", "uvicorn": "serve", "gradio": "demo", "ray": "ray",
}  # fmt: skip
"""Distribution: the extra that brings it; empty is the base install."""


def run(argv: Sequence[str]) -> int:
    """Print the table of versions, the devices and the findings; status 1 when something is broken."""
    if argv:
        print("usage: posekit doctor")
        return 0 if argv[0] in ("-h", "--help") else 2
    console = Console(highlight=False)
    console.print(
        f"posekit {importlib.metadata.version('posekit')}, Python {sys.version.split()[0]}, {platform.platform()}"
    )
    console.print(_versions())
    findings = [*_two_opencvs(), *_torch(console), *_torchvision(), *_runtime(console), *_threads()]
    for finding in findings:
        console.print(f"[red]broken:[/red] {escape(finding)}")
    console.print("nothing is broken" if not findings else f"{len(findings)} to fix")
    return 1 if findings else 0


def _versions() -> Table:
    table = Table("package", "version", "needed for")
    for name, extra in _PACKAGES.items():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            version = "-"
        table.add_row(name, version, f"posekit\\[{extra}]" if extra else "everything")
    return table


def _two_opencvs() -> list[str]:
    names = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
    found = [d.name for d in importlib.metadata.distributions() if d.name in names]
    if len(set(found)) > 1:
        return [
            f"{' and '.join(sorted(set(found)))} overwrite each other: pip uninstall all of them, then reinstall one"
        ]
    return []


def _torch(console: Console) -> list[str]:
    try:
        torch = importlib.import_module("torch")
    except ModuleNotFoundError:
        console.print(
            "torch: not installed; training and PyTorch models need it: pip install 'posekit[train]'", markup=False
        )
        return []
    except (ImportError, OSError) as error:
        return [f"torch does not import ({_line(error)}): reinstall the build for your system"]
    devices = ["cpu"]
    if torch.cuda.is_available():
        devices += [f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    elif torch.version.cuda:
        console.print("torch is a CUDA build but finds no CUDA device; check the driver with nvidia-smi")
    if torch.backends.mps.is_available():
        devices.append("mps")
    console.print(f"torch devices: {', '.join(devices)}; {torch.get_num_threads()} threads")
    return []


def _torchvision() -> list[str]:
    """A torchvision built for another torch fails at import, and takes timm and transformers with it."""
    try:
        version = importlib.metadata.version("torchvision")
    except importlib.metadata.PackageNotFoundError:
        return []
    try:
        importlib.import_module("torchvision")
    except (ImportError, OSError, RuntimeError) as error:
        return [
            f"torchvision {version} does not import ({_line(error)}): it was built for another torch. posekit itself "
            "does not need it; timm does. Fix: pip uninstall torchvision, or install both from the same index"
        ]
    return []


def _runtime(console: Console) -> list[str]:
    try:
        runtime = importlib.import_module("onnxruntime")
    except (ImportError, OSError) as error:
        return [f"onnxruntime does not import ({_line(error)}): pip install --force-reinstall onnxruntime"]
    providers = runtime.get_available_providers()
    console.print(f"onnxruntime providers: {', '.join(providers)}")
    both = {d.name for d in importlib.metadata.distributions()} >= {"onnxruntime", "onnxruntime-gpu"}
    if both:
        return [
            "onnxruntime and onnxruntime-gpu overwrite each other and fall back to the CPU: uninstall both, install one"
        ]
    return []


def _threads() -> list[str]:
    cores = os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > cores:
        return [f"OMP_NUM_THREADS={asked} on {cores} cores: threads compete for cores; set it to {cores} or less"]
    return []


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:160]
