"""Run dsntnn on random maps and store inputs, values and gradients: `python make_dsntnn_goldens.py TARGET.npz`.

Runs in an environment of its own: `pip install torch==2.13.0 numpy dsntnn==0.5.3`. Coordinates are dsntnn's, -1 to 1.
"""

from __future__ import annotations

import sys
from importlib.metadata import version

import dsntnn
import numpy as np
import torch

B, K, H, W, SIGMA = 3, 4, 9, 8, 1.0


def main(target: str) -> None:
    """Places, divergences and variances of maps around points, some of them near a border or beyond it."""
    rng = np.random.default_rng(23)
    logits = torch.from_numpy(rng.normal(0, 2, (B, K, H, W)).astype(np.float32)).requires_grad_()
    truth = torch.from_numpy(rng.uniform(-0.8, 0.8, (B, K, 2)).astype(np.float32))
    truth[0, 0], truth[1, 2] = torch.tensor((-0.97, 0.3)), torch.tensor((1.1, -0.5))
    mask = torch.ones(B, K)
    mask[0, 1] = mask[2, 3] = 0
    maps = dsntnn.flat_softmax(logits)
    coords = dsntnn.dsnt(maps)
    stored = {
        "version": np.array(version("dsntnn")),
        "logits": logits,
        "truth": truth,
        "mask": mask,
        "maps": maps,
        "coords": coords,
        "pixels": dsntnn.normalized_to_pixel_coordinates(coords, (H, W)),
        "gauss": dsntnn.make_gauss(truth, (H, W), SIGMA),
    }
    losses = {
        "euclidean": dsntnn.euclidean_losses(coords, truth),
        "js": dsntnn.js_reg_losses(maps, truth, SIGMA),
        "kl": dsntnn.kl_reg_losses(maps, truth, SIGMA),
        "variance": dsntnn.variance_reg_losses(maps, SIGMA),
    }
    for name, each in losses.items():
        mean = dsntnn.average_loss(each, mask)
        (slope,) = torch.autograd.grad(mean, logits, retain_graph=True)
        stored |= {f"{name}_each": each, f"{name}_loss": mean, f"{name}_slope": slope}
    arrays = {name: x.detach().numpy() if isinstance(x, torch.Tensor) else x for name, x in stored.items()}
    np.savez_compressed(target, **arrays)
    print(f"dsntnn {version('dsntnn')}: {', '.join(arrays)} in {target}")


if __name__ == "__main__":
    main(sys.argv[1])
