"""Faults that the tests of the core must notice: one place changed in one file each. See `benchmarks.mutants`."""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """A fault.

    Args:
        file: under ``posekit/``.
        old: text that stands in it exactly once; code and never comments, which are reworded.
        new: what replaces it.
        tests: that must fail, paths under ``tests/`` with spaces between them.
    """

    file: str
    old: str
    new: str
    tests: str

    def __str__(self) -> str:
        return " ".join(f"{self.file}: {self.old} -> {self.new}".split())


BY_HAND, VECTORS = "losses/test_loss_by_hand.py", "losses/test_loss_vectors.py"
LEARNT, WEIGHTS = "losses/test_loss_distillation.py", "losses/test_loss_weighting.py"
LOSSES = (
    Mutant("losses/base.py", "clamp_min(1e-9)", "clamp_min(1.0)", BY_HAND),
    Mutant("losses/base.py", "(known(loss, weight) * weight).sum()", "known(loss, weight).sum()", BY_HAND),
    Mutant("losses/bones.py", " * weight.index_select(-2, self.starts)", "", VECTORS),
    Mutant("losses/bones.py", "weight.index_select(-2, self.ends) * ", "", VECTORS),
    Mutant("losses/bones.py", "counts.clamp_min(1e-9)", "counts.clamp_min(1.0)", VECTORS),
    Mutant("losses/oks.py", "clamp_min(self.config.min_side**2)", "clamp_min(1e-9)", VECTORS),
    Mutant("losses/oks.py", "clamp_min(min_side)", "clamp_min(1e-9)", VECTORS),
    Mutant("losses/oks.py", "(2 * sigmas).square()", "sigmas.square()", VECTORS),
    Mutant("losses/oks.py", "- counted.sum(-1).log()", "- math.log(counted.shape[-1])", VECTORS),
    Mutant("losses/oks.py", 'target.weight["area"] > 0', 'target.weight["area"] >= 0', VECTORS),
    Mutant("losses/distillation.py", "weight.flatten(2).amax(2)", "weight.flatten(2).amin(2)", LEARNT),
    Mutant("losses/distillation.py", "* temperature**2", "* temperature", LEARNT),
    Mutant("losses/distillation.py", "math.exp(-5 *", "math.exp(-4 *", LEARNT),
    Mutant("losses/distillation.py", "2 * other.shape[1] / other", "other.shape[1] / other", LEARNT),
    Mutant("losses/distillation.py", 'trust.repeat(1, times) if name == "coarse" else ', "", LEARNT),
    Mutant("losses/heatmaps.py", "gather(1, at) > 0)", "gather(1, at) >= 0)", BY_HAND),
    Mutant("losses/heatmaps.py", "mean((-2, -1))", "sum((-2, -1))", BY_HAND),
    Mutant("losses/focal.py", "(1 - target) ** beta", "(1 - target)", VECTORS),
    Mutant(
        "losses/focal.py", "(amount * weight).sum().clamp_min(1.0)", "(amount * weight).sum().clamp_min(1e-9)", VECTORS
    ),
    Mutant("losses/focal.py", "(truth == 1).to(loss.dtype)", "(truth > 0).to(loss.dtype)", VECTORS),
    Mutant("losses/points.py", "width - width * math.log1p(width", "width - math.log1p(width", BY_HAND),
    Mutant("losses/points.py", "distance - 0.5 * beta", "distance - beta", BY_HAND),
    Mutant("losses/boxes.py", " - (around - union) / around.clamp_min(TINY)", "", "losses/test_loss_boxes.py"),
    Mutant("losses/boxes.py", "torch.cat((-low, high), -1)", "torch.cat((low, high), -1)", "losses/test_loss_boxes.py"),
    Mutant("losses/weighting.py", "0.5 * torch.exp(-self", "torch.exp(-self", WEIGHTS),
    Mutant("losses/weighting.py", "return 0.5 * value", "return value", WEIGHTS),
)

POINTS, NORMS, ALIKE = "metrics/test_points.py", "metrics/test_norms.py", "metrics/test_similarity.py"
AP, SETS, MATCHES = "metrics/test_coco_ap.py", "evaluation/test_evaluate_sets.py", "evaluation/test_matching.py"
SEEING = "codecs/test_codec_visibility.py"
METRICS = (
    Mutant("metrics/similarity.py", "2 * (2 * s) ** 2", "(2 * s) ** 2", ALIKE),
    Mutant("metrics/similarity.py", "/ np.maximum(n, 1)", "/ labelled.shape[1]", ALIKE),
    Mutant("metrics/similarity.py", "(area_a[:, None] + area_b[None]) / 2", "area_a[:, None] + 0 * area_b", ALIKE),
    Mutant("metrics/similarity.py", "np.where(np.isnan(xy).any(-1), np.inf, squared)", "np.nan_to_num(squared)", ALIKE),
    Mutant("metrics/points.py", "near = scaled < threshold", "near = scaled <= threshold", POINTS),
    Mutant("metrics/points.py", "else scaled <= threshold", "else scaled < threshold", POINTS),
    Mutant("metrics/points.py", "labelled.astype(bool) & usable[:, None]", "labelled.astype(bool)", POINTS),
    Mutant("metrics/points.py", "each[~np.isnan(each)] > threshold", "each[~np.isnan(each)] >= threshold", POINTS),
    Mutant("metrics/points.py", "np.isnan(each)] / limit, 0.0", "np.isnan(each)] / limit, -1.0", POINTS),
    Mutant(
        "metrics/points.py", "np.isnan(xy).any(-1), np.inf, distance", "np.isnan(xy).any(-1), 0.0, distance", POINTS
    ),
    Mutant("metrics/points.py", "np.maximum(n - 1, 0) // 2", "n // 2", POINTS),
    Mutant("metrics/norms.py", "TORSO_FLOOR = 0.12", "TORSO_FLOOR = 0.0", NORMS),
    Mutant(
        "metrics/norms.py",
        "_positive(rectangles.extent(boxes).max(-1))",
        "_positive(rectangles.extent(boxes).min(-1))",
        NORMS,
    ),
    Mutant("metrics/norms.py", "labelled[:, i] & labelled[:, j]", "labelled[:, i]", NORMS),
    Mutant("metrics/norms.py", "68: (36, 45)", "68: (36, 42)", NORMS),
    Mutant("metrics/norms.py", "0.6 * box_diagonal", "box_diagonal", NORMS),
    Mutant("metrics/coco_ap.py", "p[p > -1].mean()", "p[p > -1].max()", f"{AP}::test_ap_by_hand"),
    Mutant(
        "metrics/coco_ap.py", "table[5, ..., 0, 0]", "table[4, ..., 0, 0]", f"{AP}::test_ap_at_one_threshold_by_hand"
    ),
    Mutant("metrics/coco_ap.py", "max_dets = [max_detections]", "max_dets = [20]", AP),
    Mutant("metrics/coco_ap.py", "kpt_oks_sigmas = spread", "kpt_oks_sigmas = [0.05] * len(spread)", AP),
    Mutant("metrics/spatial.py", "< 0, -1, 1)", "< 0, 1, 1)", "metrics/test_spatial.py"),
    Mutant("evaluation/matching.py", "alike[who], alike[:, which] = -1.0, -1.0", "alike[who] = -1.0", MATCHES),
    Mutant("evaluation/matching.py", "alike[who], alike[:, which] = -1.0, -1.0", "alike[:, which] = -1.0", MATCHES),
    Mutant("evaluation/matching.py", "alike[who, which] <= 0", "alike[who, which] < 0", MATCHES),
    Mutant("evaluation/matching.py", "np.maximum(dataset.area[rows], 1.0)", "dataset.area[rows]", MATCHES),
    Mutant("evaluation/matching.py", "dataset.visibility[rows] > 0", "dataset.visibility[rows] >= 0", MATCHES),
    Mutant("evaluation/matching.py", "id=number", "id=0", MATCHES),
    Mutant("metrics/separation.py", "(first + last) / 2 + 1", "first + 1", "metrics/test_separation.py"),
    Mutant("metrics/separation.py", "& ~np.isnan(value)", "", "metrics/test_separation.py"),
    Mutant("codecs/visibility.py", "known & inside_image(xy, self.image)", "known", SEEING),
    Mutant("codecs/visibility.py", "maps[VISIBILITY][:, list(order)]", "maps[VISIBILITY]", SEEING),
    Mutant("codecs/visibility.py", "weight[VISIBILITY] * 0", "weight[VISIBILITY]", SEEING),
    Mutant(
        "evaluation/measure.py",
        "dataset.visibility[rows] > 0, dataset.boxes",
        "dataset.visibility[rows] > 1, dataset.boxes",
        SETS,
    ),
    Mutant("evaluation/measure.py", "/ height) * padding", "/ height)", SETS),
    Mutant("evaluation/measure.py", "return self.tie < tie", "return self.tie <= tie", SETS),
)

SOFT, KEPT, LIKE, PEOPLE = (f"postprocess/test_{name}.py" for name in ("nms", "suppress", "pose_nms", "group"))
POSTPROCESS = (
    Mutant("postprocess/nms.py", "order[start:end]) > threshold", "order[start:end]) >= threshold", SOFT),
    Mutant("postprocess/nms.py", "[0] ** 2) / spread)", "[0]) / spread)", SOFT),
    Mutant(
        "postprocess/nms.py",
        "np.asarray(area, dtype=np.float64), 1.0)",
        "np.asarray(area, dtype=np.float64), 1e-9)",
        SOFT,
    ),
    Mutant("postprocess/nms.py", "poses.score > point_threshold", "poses.score >= point_threshold", SOFT),
    Mutant("postprocess/nms.py", "known[other] & known[one]", "known[other]", SOFT),
    Mutant("postprocess/suppress.py", "[order] >= self.score_threshold", "[order] > self.score_threshold", KEPT),
    Mutant("postprocess/suppress.py", "poses[: self.max_instances]", "poses", KEPT),
    Mutant("postprocess/pose_nms.py", "> _count(near_points, 8, poses)", ">= _count(near_points, 8, poses)", LIKE),
    Mutant("postprocess/pose_nms.py", "apart < reach", "apart <= reach", LIKE),
    Mutant("postprocess/group.py", "share[number] >= min_share", "share[number] > min_share", PEOPLE),
    Mutant("postprocess/group.py", "len(person.found) >= fewest", "len(person.found) > fewest", PEOPLE),
    Mutant("postprocess/group.py", "first.found.keys() & second.found.keys()", "False", PEOPLE),
    Mutant(
        "postprocess/rescore.py", "poses.score > threshold", "poses.score >= threshold", "postprocess/test_rescore.py"
    ),
    Mutant("postprocess/rescore.py", "np.maximum(clear.sum(-1), 1)", "clear.shape[-1]", "postprocess/test_rescore.py"),
)

GRID, AFFINE, BOXES = (f"geometry/test_{name}.py" for name in ("grid", "affine", "boxes"))
KEYPOINTS, FRAMES = "geometry/test_keypoints.py", "geometry/test_framing.py"
GEOMETRY = (
    Mutant("geometry/grid.py", "0.5 * sx, 0.5 * sy", "0.5, 0.5", GRID),
    Mutant("geometry/grid.py", "(self.image_width - 1) / (self.width - 1)", "self.image_width / self.width", GRID),
    Mutant("geometry/affine.py", "x + (a + b - 1) / 2", "x + (a - 1) / 2", AFFINE),
    Mutant("geometry/affine.py", "extent = max(", "extent = min(", AFFINE),
    Mutant("geometry/affine.py", "shift[1] * height", "shift[1] * width", AFFINE),
    Mutant("geometry/affine.py", "[-c, s, width - across[2]]", "[-c, s, width - 1 - across[2]]", AFFINE),
    Mutant("geometry/boxes.py", "+ area(b)[None] - inner", "+ area(b)[None]", BOXES),
    Mutant("geometry/boxes.py", "high + grow]", "high]", BOXES),
    Mutant("geometry/boxes.py", "extent(made) / 2, 0.5)", "extent(made) / 2, 0.0)", BOXES),
    Mutant("geometry/keypoints.py", "(float(width), 0.0)", "(float(width) - 1, 0.0)", KEYPOINTS),
    Mutant("geometry/keypoints.py", "visibility=self.visibility[..., order]", "visibility=self.visibility", KEYPOINTS),
    Mutant("geometry/keypoints.py", "self.visibility > 0", "self.visibility > 1", KEYPOINTS),
    Mutant("geometry/keypoints.py", "spread = spread * scale", "spread = spread + 0 * scale", KEYPOINTS),
    Mutant("geometry/keypoints.py", "np.sqrt(np.abs(np.linalg.det(turn)))", "np.abs(np.linalg.det(turn))", KEYPOINTS),
    Mutant("geometry/keypoints.py", "[0, 1, 2, 1, 2, 3, 0, 3]", "[0, 1, 0, 1, 2, 3, 2, 3]", KEYPOINTS),
    Mutant("geometry/keypoints.py", "self.instance_score > threshold", "self.instance_score >= threshold", KEYPOINTS),
    Mutant("geometry/framing.py", "(view * (1 - self.overlap))", "view", FRAMES),
    Mutant("geometry/framing.py", "distance.min(0) + 1e-6", "distance.max(0) + 1e-6", FRAMES),
)

HEATMAP, UDP, PLAIN = (f"codecs/test_codec_{name}.py" for name in ("heatmap", "udp", "plain"))
COORDINATES, SIMCC, CENTERS = (f"codecs/test_codec_{name}.py" for name in ("coordinates", "simcc", "centers"))
CELLS, REFINE, ELLIPSE = (f"codecs/test_codec_{name}.py" for name in ("grid_cells", "refine", "ellipse"))
FIELDS = "codecs/test_codec_openpose.py::test_"
CODECS = (
    Mutant("codecs/heatmap.py", "center = cell if quantised else place", "center = place", HEATMAP),
    Mutant("codecs/heatmap.py", "[3 * s for s in spread]", "[2 * s for s in spread]", HEATMAP),
    Mutant("codecs/heatmap.py", "math.log(0.1 / 0.9)", "0.0", HEATMAP),
    Mutant("codecs/cells.py", "(cells + 0.5).floor()", "cells.floor()", HEATMAP),
    Mutant("codecs/cells.py", "torch.stack((-x, y), 2)", "torch.stack((x, y), 2)", "codecs/test_codec_flip_test.py"),
    Mutant("codecs/cells.py", "(y >= width) & (y < H - width)", "(y >= width) & (y <= H - width)", REFINE),
    Mutant(
        "codecs/cells.py",
        "torch.cat((flipped[..., :1], flipped[..., :-1]), dim=-1)",
        "flipped",
        "codecs/test_codec_flip_test.py",
    ),
    Mutant(
        "codecs/ranking.py",
        "numbers, n - 1).amin(-1)",
        "numbers, 0).amax(-1)",
        "codecs/test_codec_ties.py::test_the_first_of_equal_ones_is_the_highest",
    ),
    Mutant("codecs/udp.py", "dy.square()[..., None] <= 1", "dy.square()[..., None] < 0.9", UDP),
    Mutant("codecs/udp.py", "value / disc_left(self.radius / cells, smoothing)", "value", UDP),
    Mutant("codecs/udp.py", "odd(self.offset_blur / cells)) * self.radius", "odd(self.offset_blur / cells))", UDP),
    Mutant("codecs/udp.py", "(offsets + reach.T)", "offsets", PLAIN),
    Mutant("codecs/dark.py", "dxy = 0.5 * cross", "dxy = cross", UDP),
    Mutant("codecs/dark.py", "(L[..., 1, 2] - L[..., 1, 0]), 0.5", "(L[..., 1, 0] - L[..., 1, 2]), 0.5", UDP),
    Mutant("codecs/dark.py", "{(4, 2): 0.25, (2, 2): -0.5", "{(4, 2): 0.25, (2, 2): -0.25", REFINE),
    Mutant(
        "codecs/dark.py",
        "step, 0.0).clamp(-1.0, 1.0)\n\n\ndef refine_dark_udp",
        "step, 0.0)\n\n\ndef refine_dark_udp",
        REFINE,
    ),
    Mutant(
        "codecs/dark.py", "slope, bend = 0.5 * (L[..., 3] - L[..., 1])", "slope, bend = (L[..., 3] - L[..., 1])", REFINE
    ),
    Mutant("codecs/refine.py", "0.25 * (after - before).sign()", "0.5 * (after - before).sign()", HEATMAP),
    Mutant("codecs/refine.py", "0.25 * away / length", "0.5 * away / length", "codecs/test_codec_megvii.py"),
    Mutant("codecs/refine.py", "0.5 * (low - high)", "0.5 * (high - low)", REFINE),
    Mutant("codecs/simcc.py", "(sigma * math.sqrt(2 * math.pi)), seen", "sigma, seen", SIMCC),
    Mutant("codecs/simcc.py", 'swapped["x"].flip(-1)', 'swapped["x"]', "codecs/test_codec_flip_test.py"),
    Mutant("codecs/simcc.py", "1 - self.smoothing, rest", "1.0, rest", SIMCC),
    Mutant("codecs/simcc.py", "torch.minimum(*scores)", "torch.maximum(*scores)", SIMCC),
    Mutant("codecs/regression.py", '"unit": (1.0, 0.5)', '"unit": (1.0, 0.0)', "codecs/test_codec_normalisations.py"),
    Mutant("codecs/regression.py", "(xy - (0.5 if ratio else 0.0))", "xy", COORDINATES),
    Mutant(
        "codecs/expectation.py", "(cells - mean[..., None]).square()", "(cells - mean[..., None]).abs()", COORDINATES
    ),
    Mutant(
        "codecs/expectation.py",
        "1.0 - entropy / _most(H, W)\n\n\ndef softmax_lines",
        "entropy\n\n\ndef softmax_lines",
        COORDINATES,
    ),
    Mutant("codecs/dsnt.py", "(2 * cells + 1)", "(2 * cells)", COORDINATES),
    Mutant(
        "codecs/dfl.py", "(mean[..., 0] / self.bins - 0.5)", "(mean[..., 0] / self.bins)", "codecs/test_codec_volume.py"
    ),
    Mutant(
        "codecs/dfl.py",
        "torch.stack((low, low + 1), dim=-1)",
        "torch.stack((low, low), dim=-1)",
        "codecs/test_codec_dfl.py",
    ),
    Mutant("codecs/grid.py", "(step + 0.5).clamp", "step.clamp", CELLS),
    Mutant("codecs/grid.py", " * self.variance", "", CELLS),
    Mutant("codecs/rle.py", "sigma.new_tensor((width, height))", "sigma.new_tensor((height, width))", COORDINATES),
    Mutant("codecs/kernels.py", "(2 * whole + 1) / 6", "(2 * whole + 1) / 3", CENTERS),
    Mutant("codecs/kernels.py", "alpha / 2 * size", "alpha * size", CENTERS),
    Mutant("codecs/kernels.py", "16 * area * (1 - iou)).clamp", "8 * area * (1 - iou)).clamp", CENTERS),
    Mutant("codecs/centers.py", "step.clamp(-2.0, 2.0)", "step", CENTERS),
    Mutant(
        "codecs/ellipse.py",
        "torch.atan2(safe[..., 1], safe[..., 0])",
        "torch.atan2(safe[..., 0], safe[..., 1])",
        ELLIPSE,
    ),
    Mutant("codecs/ellipse.py", "self.strictness * 2 * ratio", "self.strictness * ratio", ELLIPSE),
    Mutant(
        "codecs/grouping.py",
        "device=cells.device) + 0.5) / samples",
        "device=cells.device)) / samples",
        "codecs/test_codec_grouping.py",
    ),
    Mutant(
        "codecs/grouping.py",
        "(maps > before) & (maps >= after)",
        "(maps >= before) & (maps >= after)",
        "codecs/test_codec_grouping.py",
    ),
)

LEVELS, FCOS = "codecs/one_stage/test_scene_levels.py", "codecs/one_stage/test_scene_fcos.py"
CENTRE, TTF = "codecs/one_stage/test_center_pose.py", "codecs/one_stage/test_ttf_pose.py"
ONE_STAGE = (
    Mutant("codecs/one_stage/detector.py", "raw.clamp_max(12.0).exp()", "raw.exp()", FCOS),
    Mutant("codecs/one_stage/detector.py", "raw.clamp_max(12.0).exp()", "raw.clamp_max(2.0).exp()", FCOS),
    Mutant("codecs/one_stage/detector.py", '["centreness"]).sigmoid()).sqrt()', '["centreness"]).sigmoid())', FCOS),
    Mutant(
        "codecs/one_stage/detector.py",
        "torch.maximum(self.levels.valid_mask(instances), seen)",
        "self.levels.valid_mask(instances)",
        FCOS,
    ),
    Mutant("codecs/one_stage/detector.py", " * found.scale[..., None, None]", "", FCOS),
    Mutant(
        "codecs/one_stage/levels.py", "center_sampling_radius * scale)", "(center_sampling_radius + 1) * scale)", LEVELS
    ),
    Mutant("codecs/one_stage/levels.py", "(far <= most)", "(far < most)", LEVELS),
    Mutant("codecs/one_stage/levels.py", "fits & (area == smallest)", "fits", LEVELS),
    Mutant("codecs/one_stage/levels.py", "ratio.prod(1, keepdim=True).sqrt()", "ratio.prod(1, keepdim=True)", LEVELS),
    Mutant("codecs/one_stage/levels.py", "(grid.width - 1 - column)", "(grid.width - column)", LEVELS),
    Mutant(
        "codecs/one_stage/instances.py",
        "(instances.role == IGNORE)[..., None]",
        "(instances.role >= 0)[..., None]",
        CENTRE,
    ),
    Mutant("codecs/one_stage/instances.py", "(maps == 1) | ", "", CENTRE),
    Mutant("codecs/one_stage/center_pose.py", "size.clamp_min(0.0) / 2", "size.clamp_min(0.0)", CENTRE),
    Mutant("codecs/one_stage/center_pose.py", "value > self.point_threshold", "value > 1.0", CENTRE),
    Mutant("codecs/one_stage/center_pose.py", "value > self.point_threshold", "value > -1.0", CENTRE),
    Mutant("codecs/one_stage/center_pose.py", "-near <= self.snap_distance * longest", "-near <= longest", CENTRE),
    Mutant(
        "codecs/one_stage/centre_offsets.py",
        'torch.inf).scatter_reduce(1, number, sizes, "amin")',
        '-torch.inf).scatter_reduce(1, number, sizes, "amax")',
        "codecs/one_stage/test_dekr.py",
    ),
    Mutant(
        "codecs/one_stage/dekr.py",
        "batch.area >= self.min_area",
        "batch.area > self.min_area",
        "codecs/one_stage/test_dekr.py",
    ),
    Mutant(
        "codecs/one_stage/dekr.py", "3 if mean <= 200 else", "5 if mean <= 200 else", "codecs/one_stage/test_dekr.py"
    ),
    Mutant("codecs/one_stage/ttf_pose.py", "area.clamp_min(torch.e).log() / ", "area / ", TTF),
)

MOVED, SCENE, HALF = (f"transforms/test_{name}.py" for name in ("geometric", "scene", "half_body"))
MOSAIC, DROP, COMPOSE = (f"transforms/test_{name}.py" for name in ("mosaic", "drop", "compose"))
TRANSFORMS = (
    Mutant("transforms/geometric.py", "old.area * abs(a * d - b * c)", "old.area", MOVED),
    Mutant("transforms/geometric.py", "[[-1.0, 0.0, size[1]]", "[[-1.0, 0.0, size[1] - 1]", MOVED),
    Mutant("transforms/geometric.py", "sample.to_source @ _back(matrix)", "_back(matrix) @ sample.to_source", MOVED),
    Mutant("transforms/geometric.py", "swap[:2] + same[:2]", "same[:2] + swap[:2]", MOVED),
    Mutant("transforms/geometric.py", "and skeleton.flippable", "", MOVED),
    Mutant("transforms/scene.py", "np.where(inside, LEAST, MOST)", "np.where(inside, MOST, LEAST)", SCENE),
    Mutant("transforms/scene.py", "low * (high / low) ** scale", "low + (high - low) * scale", SCENE),
    Mutant("transforms/scene.py", "regions[~keep]", "regions[keep]", SCENE),
    Mutant("transforms/half_body.py", "(lower != upper)", "(lower == upper)", HALF),
    Mutant("transforms/half_body.py", "<= len(labelled) // 2", "< len(labelled) // 2", HALF),
    Mutant(
        "transforms/mosaic.py", "clipped(tile.ignore + np.tile(shift, 2), frame)", "clipped(tile.ignore, frame)", MOSAIC
    ),
    Mutant("transforms/mosaic.py", " * seen.astype(points.visibility.dtype)", "", MOSAIC),
    Mutant("transforms/compose.py", "done >= self.drop.start", "done > self.drop.start", COMPOSE),
    Mutant("transforms/drop.py", "rng.integers(height - tall + 1)", "rng.integers(max(height - tall, 1))", DROP),
    Mutant("transforms/drop.py", "rng.integers(width - wide + 1)", "1 + rng.integers(max(width - wide, 1))", DROP),
    Mutant(
        "transforms/drop.py", "np.arange(width, dtype=np.float32) + 0.5 -", "np.arange(width, dtype=np.float32) -", DROP
    ),
    Mutant("transforms/drop.py", "rng.random() >= self.probability", "rng.random() < self.probability", DROP),
)

CROPS, FULL = "pipelines/test_predictor_crops.py", "pipelines/test_predictor_full_images.py"
CHAIN, WINDOWS = "pipelines/test_chain.py", "pipelines/test_cascade_windows.py pipelines/test_cascade.py"
PIPELINES = (
    Mutant("pipelines/predictor.py", "here.instance_score >= self.spec", "here.instance_score > self.spec", FULL),
    Mutant("pipelines/predictor.py", "here = own_poses(here, pending.frames, frame, self.spec.size)", "pass", FULL),
    Mutant("pipelines/predictor.py", "invert(pending.frames[frame])", "pending.frames[frame]", CROPS),
    Mutant("pipelines/predictor.py", "boxes=pending.boxes.astype(np.float32)", "boxes=None", CROPS),
    Mutant("engines/torch.py", "(value + back[name]) / 2", "value", CROPS),
    Mutant("engines/torch.py", "net(image.flip(-1))", "net(image)", CROPS),
    Mutant("pipelines/chain.py", "poses.score >= CLEAR", "poses.score > CLEAR", CHAIN),
    Mutant("pipelines/chain.py", "first.instance_score[keep] * second.score", "second.score", CHAIN),
    Mutant(
        "pipelines/mtcnn/windows.py",
        ".max(1, keepdims=True, initial=0)",
        ".min(1, keepdims=True, initial=1e9)",
        WINDOWS,
    ),
    Mutant("pipelines/mtcnn/windows.py", "boxes.dtype.type(shorter)", "boxes.dtype.type(0)", WINDOWS),
    Mutant("pipelines/mtcnn/cascade.py", "scored[score > threshold]", "scored[score >= 0]", WINDOWS),
)

COCO, ODD, YOLO = (f"data/test_{name}.py" for name in ("coco_files", "odd_coco", "yolo_files"))
DATA = (
    Mutant("data/coco_dataset.py", "flat[..., :2] + HALF_PIXEL", "flat[..., :2]", COCO),
    Mutant("data/coco_dataset.py", "labelled[~given], margin=0.1)", "labelled[~given])", f"{COCO} {ODD}"),
    Mutant("data/coco_dataset.py", "AREA_OF_BOX * extent(boxes)", "extent(boxes)", f"{COCO} {ODD}"),
    Mutant("data/coco_dataset.py", "ids[~missing])", "[])", ODD),
    Mutant("data/coco_dataset.py", "np.where(found, order[place], 0)", "np.where(found, place, 0)", f"{COCO} {ODD}"),
    Mutant("data/coco.py", "dataset.xy[rows] - HALF_PIXEL", "dataset.xy[rows]", COCO),
    Mutant("data/coco.py", "[a + 1, b + 1]", "[a, b]", COCO),
    Mutant("data/coco.py", "[xy - HALF_PIXEL, score", "[xy, score", COCO),
    Mutant("data/yolo.py", "rows[:, 1:3] - rows[:, 3:5] / 2", "rows[:, 1:3] - rows[:, 3:5]", YOLO),
    Mutant("data/yolo.py", "points * sizes[:, None]", "points * sizes[:, None, ::-1]", YOLO),
    Mutant("data/yolo_labels.py", "(points > 0).any(-1) & ", "", f"{YOLO} data/test_yolo_layouts.py"),
    Mutant("data/yolo_writer.py", "(boxes[:, :2] + boxes[:, 2:]) / 2", "boxes[:, :2]", YOLO),
    Mutant("data/batch.py", "longer.role[-count:] = IGNORE", "pass", "data/test_batch.py"),
    Mutant("data/batch.py", "longer.boxes[-count:] = regions", "pass", "data/test_batch.py"),
)

RATE, LOOP = "training/test_schedule_ema.py", "training/test_loop.py"
TRAINING = (
    Mutant("training/averaging.py", "(1 + int(count)) / (10 + int(count))", "1.0", RATE),
    Mutant("training/averaging.py", "use_buffers=True", "use_buffers=False", RATE),
    Mutant("training/schedule.py", "(step + 1) / (warm + 1)", "step / (warm + 1)", RATE),
    Mutant("training/schedule.py", "step >= m * steps", "step > m * steps", RATE),
    Mutant("training/schedule.py", "math.pi * min(done, 1.0)", "math.pi * done", RATE),
    Mutant(
        "training/loop.py", "min(self.options.accumulate, self.per_epoch - before)", "self.options.accumulate", LOOP
    ),
    Mutant(
        "training/loop.py",
        "0 < self.options.patience <= progress.waited",
        "0 < self.options.patience < progress.waited",
        LOOP,
    ),
    Mutant("training/loop.py", "net = self.ema.module if self.ema is not None else self.net", "net = self.net", LOOP),
    Mutant("training/loader.py", "part[rank::world]", "part[:: world]", "training/test_loader.py"),
    Mutant(
        "training/loader.py",
        "np.random.default_rng([seed, epoch, 0x0DE4])",
        "np.random.default_rng([seed, 0x0DE4])",
        "training/test_loader.py",
    ),
)

MUTANTS = (
    *LOSSES,
    *METRICS,
    *POSTPROCESS,
    *GEOMETRY,
    *CODECS,
    *ONE_STAGE,
    *TRANSFORMS,
    *PIPELINES,
    *DATA,
    *TRAINING,
)
