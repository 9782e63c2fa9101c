"""Every representation and system exported and compared with the original: `python -m benchmarks.exports`.

Untrained networks with a light backbone, and the models of posekit, as ONNX and OpenVINO files, on 64 real images of
`POSEKIT_DATA` at batches of 1 and 7; `benchmarks/results/exports.json`.
"""

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

import posekit
from benchmarks.ladder import root
from benchmarks.record import RESULTS, circumstances, write
from posekit.api.export import ExportError
from posekit.recipe import Recipe
from posekit.recipes import RECIPES, SYSTEMS
from posekit.skeletons import SKELETONS
from posekit.zoo.catalogue import catalogue, folder_of
from posekit.zoo.weights import save_weights

BODIES = "coco_person/annotations/person_keypoints_val.json"
IMAGES = {
    "face-s": "face300w_helen_afw/annotations/helen_test.json",
    "hand-s": "hand_coco_wholebody/annotations/hand_val.json",
    "sport-crop-s": "lspe/annotations/lspe_val.json",
    "sport-crop-m": "lspe/annotations/lspe_val.json",
}
"""Other images than people for these models."""
BACKBONE = "mobilenet_v3"
KINDS = ("onnx", "openvino")


def recipes() -> dict[str, Recipe]:
    """All representations and systems in their tiny form, with one light backbone."""
    skeleton = SKELETONS["coco17"]
    crops = [name for name in RECIPES if name.startswith("topdown-") and not name.endswith("-tiny")]
    sizes = dict.fromkeys(crops, (192, 192)) | dict.fromkeys(SYSTEMS, (256, 256))
    return {
        name: RECIPES[f"{name}-tiny"](skeleton, size=size, backbone=None if name == "movenet" else BACKBONE)
        for name, size in sizes.items()
    }


def exported(model: Path, to: str, images: Path) -> dict[str, Any]:
    """How one export went."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"model{'.onnx' if to == 'onnx' else '.xml'}"
        try:
            made = posekit.export(model, to, out=file, images=images)
        except ExportError as error:
            return {"passed": False, "faults": str(error)[:500]}
        assert made.parity is not None
        return {"passed": True, **{k: v for k, v in asdict(made.parity).items() if k != "faults"}}


def main() -> None:
    """Export all, one after the other; what is in the result file already is not repeated."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[], help="recipes or models; default: all")
    args = parser.parse_args()
    torch.set_num_threads(1)
    file = RESULTS / "exports.json"
    results = json.loads(file.read_text(encoding="utf-8"))["exports"] if file.is_file() else {}
    made = recipes()
    models = [name for name in catalogue() if folder_of(name) is not None]
    for name in args.only or [*made, *models]:
        for to in KINDS:
            if to in results.get(name, {}) and not args.only:
                continue
            with tempfile.TemporaryDirectory() as folder:
                model = folder_of(name) or Path(folder)
                if name in made:
                    torch.manual_seed(0)
                    save_weights(model, made[name].build(), made[name], {})
                results.setdefault(name, {})[to] = exported(model, to, root() / IMAGES.get(name, BODIES))
            print(name, to, results[name][to], flush=True)
            write("exports", {"exports": results, **circumstances()})
    passed = sum(row["passed"] for rows in results.values() for row in rows.values())
    print(f"{passed} of {sum(len(rows) for rows in results.values())} passed")


if __name__ == "__main__":
    main()
