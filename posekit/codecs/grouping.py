"""Reading maps and fields for bottom-up grouping: candidates of every point, and how well two of them fit."""

from __future__ import annotations

import torch
from torch import Tensor

from posekit.codecs.cells import LOWEST, bilinear, finite, sane
from posekit.codecs.ranking import highest_of_three, top
from posekit.codecs.refine import refine_parabola


def candidates(heatmap: Tensor, most: int = 20, threshold: float = 0.1) -> tuple[Tensor, Tensor]:
    """The highest local maxima of every map, each refined by the parabola through it and its neighbours.

    A peak is higher than its eight neighbours; of equal neighbours the first in reading order counts as the peak.

    Args:
        heatmap: (B, K, H, W), without a background; NaN is lower than any number.
        most: largest number of candidates a map.
        threshold: a peak must exceed it; at least 0.

    Returns:
        (B, K, M, 2) cells, x before y, highest first, and (B, K, M) their values clamped to [0, 1], with M the smaller
        of ``most`` and the number of cells; 0 where a map has fewer peaks. Equal values are in reading order.

    Source: OpenPose, arXiv:1812.08008, section 3.2.
    """
    clean = sane(heatmap)
    W = clean.shape[-1]
    height = torch.where(_peaks(clean) & (clean > threshold), clean, 0.0)
    score, at = top(height.flatten(2), most)
    cell = torch.stack((at % W, at // W), dim=-1)
    place = torch.where((score > 0)[..., None], refine_parabola(clean, cell), cell.to(clean.dtype))
    return place, score.clamp(0.0, 1.0)


def _peaks(maps: Tensor) -> Tensor:
    """(B, K, H, W) bool: higher than the neighbours before it and not lower than those after it, in reading order."""
    rows = highest_of_three(maps, -1)
    # Shifted by concatenation, because the ONNX exporter warns about the constants of a pad.
    edge_row, edge_column = torch.full_like(maps[..., :1, :], LOWEST), torch.full_like(maps[..., :1], LOWEST)
    above, below = torch.cat((edge_row, rows[..., :-1, :]), -2), torch.cat((rows[..., 1:, :], edge_row), -2)
    left, right = torch.cat((edge_column, maps[..., :-1]), -1), torch.cat((maps[..., 1:], edge_column), -1)
    before, after = torch.maximum(above, left), torch.maximum(below, right)
    return (maps > before) & (maps >= after)


def affinities(
    paf: Tensor,
    cells: Tensor,
    bones: tuple[tuple[int, int], ...],
    *,
    samples: int = 10,
    threshold: float = 0.05,
    scale: tuple[float, float] = (1.0, 1.0),
) -> tuple[Tensor, Tensor]:
    """How well the field of a bone agrees with the line from each candidate of its first point to each of its second.

    The line between two candidates is divided into equal segments, and the field is read at the middle of each with
    bilinear interpolation: a field ends abruptly, and the cell nearest to the end of a short bone often lies beyond the
    field.

    Args:
        paf: (B, 2 bones, H, W), x and y of each bone in turn; NaN counts as 0.
        cells: (B, K, M, 2) candidates, x before y.
        bones: pairs of points.
        samples: segments of a line.
        threshold: a segment agrees where the field along the line exceeds it.
        scale: pixels per cell, x before y; only their ratio matters.

    Returns:
        (B, bones, M, M) mean over the segments of the field along the line, about -1 to 1, and (B, bones, M, M) share
        of the segments that agree; 0 for two candidates at the same location.

    Source: OpenPose, arXiv:1812.08008, eq. 11. Differs: the field is read at the middles of segments, not from end to
    end.
    """
    B, L, M = paf.shape[0], len(bones), cells.shape[2]
    start, end = (cells[:, [bone[side] for bone in bones]] for side in (0, 1))
    start, line = start[:, :, :, None], end[:, :, None] - start[:, :, :, None]
    parts = (torch.arange(samples, dtype=cells.dtype, device=cells.device) + 0.5) / samples
    place = start[..., None, :] + line[..., None, :] * parts[:, None]
    # (B, 2 bones, M * M * samples): x and y of a bone are read at the same locations.
    place = place.reshape(B, L, 1, M * M * samples, 2).expand(B, L, 2, M * M * samples, 2).flatten(1, 2)
    field = bilinear(paf, place, finite).to(cells.dtype).reshape(B, L, 2, M, M, samples)
    line = line * line.new_tensor(scale)
    unit = line / line.norm(dim=-1, keepdim=True).clamp_min(1e-7)
    along = field[:, :, 0] * unit[..., :1] + field[:, :, 1] * unit[..., 1:]
    return along.mean(-1), (along > threshold).to(along.dtype).mean(-1)
