"""Measure a model and pack it for the catalogue: `python -m benchmarks.pack_models NAME --source FOLDER`.

FOLDER is a run of `benchmarks.shipped`, or what `posekit models convert` wrote. The model is evaluated on held-out
data of `POSEKIT_DATA`, stored in 16 bits with these figures, licences and a card, and entered in the catalogue. Small
ones go into the package, with an ONNX file that runs without torch, the others to `models/`. Without `--source` the
card and the ONNX file of a model that is packed already are written again; with `--card` the card alone, such as after
`benchmarks.errors`.
"""

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import load_file, save_file

import posekit
from benchmarks.ladder import root
from benchmarks.record import RESULTS, circumstances, write
from posekit.api.evaluate import Reading
from posekit.engines.spec import Licences, known
from posekit.recipe import Recipe
from posekit.zoo.catalogue import CATALOGUE, CHECKOUT, SHIPPED, checksum
from posekit.zoo.folder import find_model, read_spec, write_spec
from posekit.zoo.layout import CARD, ONNX, PICTURE, TENSORS
from posekit.zoo.weights import load_weights, save_weights

COCO = "COCO 2017: annotations CC BY 4.0, images by their photographers under various Creative Commons licences"
MOVENET = "MoveNet by Google, Apache-2.0 (trained on COCO and Google's own Active set)"


@dataclass(frozen=True)
class Card:
    """What is known of a model besides its network."""

    about: str
    test: str
    main: str
    commercial: Literal["yes", "no", "unclear"]
    weights: str
    data: str
    limits: str
    skeleton: str | None = None
    """Known skeleton of the test data, where its file has no names."""
    packaged: bool = False
    sigmas_fit: bool = True
    """Whether the OKS sigmas are meant for the areas of the test data; otherwise kinds of errors mean nothing."""
    instance_threshold: float = 0.2
    """Score from which an instance is drawn; of body-s near the best F1 (at OKS 0.5) on the test data."""


CARDS = {
    "body-s": Card(
        "people in full images, 17 points",
        "coco_person/annotations/person_keypoints_val.json",
        "AP",
        "yes",
        f"{MOVENET}; MultiPose, not changed",
        "COCO and Google's Active set",
        "At most 20 people in an image; people shorter than about 40 pixels in the input are often missed.",
        packaged=True,
        instance_threshold=0.1,
    ),
    "body-crop-s": Card(
        "a person in a box, 17 points; small",
        "coco_person/annotations/person_keypoints_val.json",
        "AP",
        "unclear",
        f"fine-tuned by posekit from {MOVENET}",
        COCO,
        "People who overlap in a crop are mixed up; points of people cut by the image's border are guesses.",
        packaged=True,
    ),
    "body-crop-m": Card(
        "a person in a box, 17 points; more accurate",
        "coco_person/annotations/person_keypoints_val.json",
        "AP",
        "unclear",
        f"fine-tuned by posekit from {MOVENET}",
        COCO,
        "People who overlap in a crop are mixed up; slower than body-crop-s, see docs/models.md.",
    ),
    "sport-crop-s": Card(
        "a person in a box, 14 points of LSP; unusual poses of sports",
        "lspe/annotations/lspe_val.json",
        "pck_torso@0.2",
        "no",
        f"fine-tuned by posekit from {MOVENET}",
        f"LSP extended: research only; {COCO}",
        "Trained on single athletes; left and right are swapped in some upside-down poses.",
    ),
    "sport-crop-m": Card(
        "a person in a box, 14 points of LSP; unusual poses of sports, more accurate",
        "lspe/annotations/lspe_val.json",
        "pck_torso@0.2",
        "no",
        f"fine-tuned by posekit from {MOVENET}",
        f"LSP extended: research only; {COCO}",
        "Trained on single athletes; left and right are swapped in some upside-down poses.",
    ),
    "face-s": Card(
        "a face in a box, 68 points",
        "face300w_helen_afw/annotations/helen_test.json",
        "nme_interocular",
        "no",
        "trained by posekit from random weights",
        "300-W: HELEN and AFW, research only",
        "Profiles and faces behind hands are rare in the data and inaccurate.",
        skeleton="face68",
        packaged=True,
    ),
    "hand-s": Card(
        "a hand in a box, 21 points",
        "hand_coco_wholebody/annotations/hand_val.json",
        "pck@0.2",
        "no",
        f"fine-tuned by posekit from {MOVENET}",
        "COCO-WholeBody: research only",
        "Trained on 800 hands: small and blurred ones, and hands that hold things, are inaccurate.",
        skeleton="hand21",
        sigmas_fit=False,
    ),
}


def half(file: Path) -> None:
    """Store the weights of a file in 16 bits; biases and norms stay in 32."""
    state = {name: t.half() if t.is_floating_point() and t.ndim > 1 else t for name, t in load_file(file).items()}
    save_file(state, file, {"format": "pt"})
    file.chmod(0o644)


def renamed(recipe: Recipe, name: str) -> Recipe:
    """The recipe without what belongs to its training run."""
    return replace(recipe, name=name, init=None)


def main() -> None:
    """Pack the model that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=CARDS)
    parser.add_argument("--source", type=Path, help="run folder or weights folder")
    parser.add_argument("--no-flip", action="store_true", help="leave out the measurement with flip test")
    parser.add_argument("--card", action="store_true", help="write the card alone")
    args = parser.parse_args()
    torch.set_num_threads(1)
    card = CARDS[args.name]
    folder = (SHIPPED if card.packaged else CHECKOUT) / args.name
    if args.source is not None:
        pack(args.name, card, args.source, folder, flip_test=not args.no_flip)
    _write_card(args.name, card, folder)
    if card.packaged and not args.card:
        pack_onnx(card, folder)


def pack_onnx(card: Card, folder: Path) -> None:
    """Write the model's ONNX file, checked on its test data."""
    (folder / ONNX).unlink(missing_ok=True)
    made = posekit.export(folder, out=folder / ONNX, images=root() / card.test)
    made.report.unlink()
    made.file.chmod(0o644)
    print(f"{made.file}: {made.file.stat().st_size / 1e6:.1f} MB, {made.parity}")


def pack(name: str, card: Card, place: Path, folder: Path, *, flip_test: bool) -> None:
    """Measure a model, write its folder, and enter it in the catalogue."""
    source = load_weights(place)
    recipe = renamed(source.recipe, name)
    licences = Licences(weights=card.weights, data=card.data)
    save_weights(folder, source.net, recipe, {}, licences)
    half(folder / TENSORS)
    measured = {}
    for flip in (False, True) if flip_test else (False,):
        reading = Reading(skeleton=card.skeleton)
        result = posekit.evaluate(folder, root() / card.test, reading=reading, flip_test=flip)
        measured["flip test" if flip else "plain"] = known(result.figures)
    plain = measured["plain"]
    kept = [card.main, *(name for name in ("AP", "AP50", "pck@0.05", "nme_box") if name in plain and name != card.main)]
    figures = {name: plain[name] for name in kept}
    spec = replace(read_spec(folder), figures=figures, instance_threshold=card.instance_threshold)
    write_spec(folder, spec)
    entry = {
        "about": card.about,
        "commercial": card.commercial,
        "sha256": checksum(folder / TENSORS),
        "size": (folder / TENSORS).stat().st_size,
    }
    entries = json.loads(CATALOGUE.read_text(encoding="utf-8")) | {name: entry}
    CATALOGUE.write_text(json.dumps({n: entries[n] for n in CARDS if n in entries}, indent=1) + "\n", encoding="utf-8")
    file = RESULTS / "models.json"
    before = json.loads(file.read_text(encoding="utf-8"))["models"] if file.is_file() else {}
    parameters = sum(p.numel() for p in source.net.parameters())
    about = {"data": card.test, "parameters": parameters, "figures": measured}
    write("models", {"models": before | {name: {**about, **circumstances()}}})
    print(f"{name}: {card.main} {plain[card.main]:.4g}, {entry['size'] / 1e6:.1f} MB, in {folder}")


def _write_card(name: str, card: Card, folder: Path) -> None:
    """The model's README.md."""
    spec = read_spec(folder)
    how = "crops of given boxes" if spec.needs_boxes else "full images"
    rows = "\n".join(f"| {n} | {v:.4g} |" for n, v in spec.figures.items() if v is not None)
    (folder / CARD).write_text(
        "---\nlibrary_name: posekit\npipeline_tag: keypoint-detection\nlicense: other\n---\n\n"
        f"# {name}: {card.about}\n\n"
        f"Points: {', '.join(spec.skeleton.points)}. Input: {how}, {spec.size[0]}x{spec.size[1]} pixels.\n\n"
        f"**Licences.** Code: Apache-2.0. Weights: {card.weights}. Data: {card.data}. "
        f"Commercial use: {card.commercial}.\n\n"
        f"**Accuracy** on `{card.test}`, without flip test "
        f"(`python -m benchmarks.pack_models {name} --source FOLDER`):\n\n"
        f"| metric | |\n|---|---|\n{rows}\n\n"
        f"**Limits.** {card.limits}\n\n{_errors(name, card)}"
        f'```python\nimport posekit\n\nposes = posekit.load("{name}")("photo.jpg")[0]\n```\n',
        encoding="utf-8",
    )
    find_model(folder)


def _errors(name: str, card: Card) -> str:
    """Shares of the kinds of errors, and the picture that `make docs` puts beside the card."""
    file = RESULTS / "errors.json"
    found = json.loads(file.read_text(encoding="utf-8"))["models"].get(name) if file.is_file() else None
    if found is None:
        return ""
    wrong = f"{_listed(found['share'])}. " if card.sigmas_fit else ""
    return (
        f"**What goes wrong** (`python -m benchmarks.errors {name}`). {wrong}The worst instances; grey: label, blue: "
        f"prediction, red: the points that are meant.\n\n![Stick figures of the worst instances]({PICTURE})\n\n"
    )


def _listed(share: dict[str, float]) -> str:
    """The kinds that occur, in words."""
    told = (f"{value:.1%} {kind}" for kind, value in share.items() if value > 0)
    return f"Of the labelled points: {', '.join(told)} (explained in docs/models.md)"


if __name__ == "__main__":
    main()
