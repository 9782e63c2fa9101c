"""Two processes on the CPU train one model: every sample once, equal parameters, one writer."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from figures import labelled_files

PROBE = """
import json, os, sys
from pathlib import Path
import numpy as np, torch
from posekit.training import loop

out = Path(sys.argv.pop(1))
seen, step = [], loop.Loop._step
def noting(self, batch):
    seen.append(batch.index.tolist())
    step(self, batch)
loop.Loop._step = noting
written, write = [], Path.write_text
def writing(self, *words, **more):
    written.append(str(self))
    return write(self, *words, **more)
Path.write_text = writing
train = loop.Loop.train
def telling(self):
    outcome = train(self)
    values = np.concatenate([p.detach().double().flatten().numpy() for p in self.net.parameters()])
    sums = {"sum": values.sum(), "square": (values**2).sum()}
    told = {"world": self.engine.num_processes, "seen": seen, "written": written, **sums}
    write(out / f"{os.environ['RANK']}.json", json.dumps(told))
    return outcome
loop.Loop.train = telling
from posekit.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_two_processes_train_one_model(tmp_path):
    data = labelled_files(tmp_path / "data", count=30)
    probe = tmp_path / "probe.py"
    probe.write_text(PROBE)
    words = [
        *(sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29611"),
        *(str(probe), str(tmp_path), "train", "topdown-regression-tiny", "--data.train", str(data)),
        *(
            "--data.val",
            str(data),
            "--size",
            "64",
            "64",
            "--train.batch",
            "4",
            "--train.epochs",
            "1",
            "--device",
            "cpu",
        ),
        *("--out", str(tmp_path / "run")),
    ]
    done = subprocess.run(
        words, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first["world"] == second["world"] == 2
    together = [i for told in (first, second) for batch in told["seen"] for i in batch]
    assert sorted(together) == list(range(30)), "every sample once over both processes"
    assert len(first["seen"]) == len(second["seen"])
    assert (tmp_path / "run" / "metrics.csv").read_text().splitlines()[1].startswith("1,30,"), "images seen"
    np.testing.assert_array_equal([first["sum"], first["square"]], [second["sum"], second["square"]])
    assert any(str(tmp_path / "run") in file for file in first["written"])
    assert not [file for file in second["written"] if str(tmp_path / "run") in file], "only one process writes"
