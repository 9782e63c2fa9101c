"""Reports of `posekit compare` on real data: `python -m benchmarks.compare mouse_openfield [--budget 12m]`.

Each is one `posekit compare` without pictures, since the data's licences do not allow images here; what is finished in
``runs/compare/NAME`` is kept. JSON, CSV and page go to ``benchmarks/results/compare/``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.ladder import root
from benchmarks.record import RESULTS, circumstances

SETS = {
    name: (f"{name}/annotations/{train}", f"{name}/annotations/{val}")
    for name, train, val in (
        ("mouse_openfield", "mouse_openfield_train.json", "mouse_openfield_val.json"),
        ("hand_coco_wholebody", "hand_train.json", "hand_val.json"),
        ("lspe", "lspe_train.json", "lspe_val.json"),
    )
}
"""Name to training and validation labels."""


def portable(text: str, out: Path) -> str:
    """The text without folders of this machine."""
    return text.replace(str(out), f"runs/compare/{out.name}").replace(str(root()), "$POSEKIT_DATA")


def main() -> None:
    """Run one comparison and keep its report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=SETS)
    parser.add_argument("--root", type=Path, default=Path("runs/compare"))
    parser.add_argument("--name", help="of the result files; default: the name of the data")
    asked, extra = parser.parse_known_args()
    name = asked.name or asked.data
    out = asked.root / name
    train, val = (str(root() / file) for file in SETS[asked.data])
    words = ["compare", "--data", train, "--val", val, "--out", str(out), "--no-pictures", *extra]
    environment = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    subprocess.run([sys.executable, "-m", "posekit", *words], check=True, env=environment)
    target = RESULTS / "compare"
    target.mkdir(exist_ok=True)
    for suffix in ("csv", "html"):
        text = portable((out / f"compare.{suffix}").read_text(encoding="utf-8"), out)
        (target / f"{name}.{suffix}").write_text(text, encoding="utf-8")
    found = json.loads(portable((out / "compare.json").read_text(encoding="utf-8"), out))
    about = circumstances() | {"posekit": portable(" ".join(["posekit", *words]), out)}
    (target / f"{name}.json").write_text(json.dumps({**about, **found}, indent=1) + "\n", encoding="utf-8")
    print(f"in {target / name}.json, .csv, .html")


if __name__ == "__main__":
    main()
