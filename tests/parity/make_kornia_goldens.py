"""Run kornia's soft arg-max, Gaussians, divergences and focal loss and store both.

`python make_kornia_goldens.py TARGET.npz`

Runs in an environment of its own: `pip install torch==2.13.0 numpy kornia==0.9.0`. Places are in cells.
"""

from __future__ import annotations

import sys

import kornia
import numpy as np
import torch
from kornia.geometry.subpix import render_gaussian2d, spatial_soft_argmax2d
from kornia.losses import binary_focal_loss_with_logits, js_div_loss_2d, kl_div_loss_2d

B, K, H, W = 2, 3, 9, 8
BETAS, GAMMAS, SIGMAS = (1.0, 10.0), (2.0, 6.0, 10.0), (1.25, 1.0)


def main(target: str) -> None:
    """Run all and store inputs with outputs."""
    rng = np.random.default_rng(25)
    maps = torch.from_numpy(rng.normal(0, 1, (B, K, H, W)).astype(np.float32))
    place = torch.from_numpy(rng.uniform(-1, 8, (B, K, 2)).astype(np.float32))
    gauss = render_gaussian2d(place, torch.tensor(SIGMAS).expand_as(place), (H, W), normalized_coordinates=False)
    output = maps.flatten(2).softmax(-1).reshape(maps.shape)
    positive = torch.from_numpy((rng.uniform(0, 1, maps.shape) < 0.3).astype(np.float32))
    values = {
        "maps": maps,
        "argmax": torch.stack([spatial_soft_argmax2d(maps, 1 / beta, normalized_coordinates=False) for beta in BETAS]),
        "place": place,
        "gauss": gauss,
        "js": js_div_loss_2d(output, gauss, reduction="none"),
        # In kornia the truth comes first in the divergence; here it is the output.
        "kl": kl_div_loss_2d(gauss, output, reduction="none"),
        "positive": positive,
        "focal": torch.stack([binary_focal_loss_with_logits(3 * maps, positive, 0.25, gamma) for gamma in GAMMAS]),
    }
    stored = {"version": np.array(kornia.__version__), **{name: value.numpy() for name, value in values.items()}}
    np.savez_compressed(target, **stored)
    print(f"kornia {kornia.__version__}: {', '.join(stored)} in {target}")


if __name__ == "__main__":
    main(sys.argv[1])
