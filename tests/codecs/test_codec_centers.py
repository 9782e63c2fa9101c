"""CenterNet's and TTFNet's Gaussians against numbers worked out by hand, and the meaning of their radius."""

import math
from dataclasses import replace

import pytest
import torch
from codec_cases import FIVE, instances
from hypothesis import given, settings
from hypothesis import strategies as st
from sizes import K

from posekit.codecs.centers import CenterNet, Ttfnet, gaussians
from posekit.codecs.kernels import corner_radius, ellipse_radius, radius_sigma
from posekit.geometry.grid import AlignedGrid, Grid, RatioGrid

IMAGE = (256, 192)
PLAIN = Grid.of(IMAGE, 4)
RATIO = RatioGrid.of(IMAGE, 4)


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


def boxed(xy, width, height):
    """Labels of points (..., 2) in image pixels, in a box of that many."""
    xy = xy.reshape(1, 1, -1, 2)
    return replace(instances(xy), boxes=double(0, 0, width, height).reshape(1, 1, 4))


def drawn(codec, width, height, x=20.3, y=30.7):
    """(H, W) map of one point and box given in cells of 4 pixels."""
    labels = boxed(codec.grid.pixels(double(x, y)), 4 * width, 4 * height)
    return codec.encode(labels).maps["heatmap"][0, 0]


@pytest.mark.parametrize(
    ("height", "width", "iou", "fixed", "outward", "published"),
    [
        (100, 100, 0.7, 8.166999, 9.761430, 27.332005),
        (64, 48, 0.7, 4.471294, 5.363796, 15.018628),
        (40, 20, 0.7, 2.154767, 2.627090, 7.355851),
        (64, 48, 0.3, 12.302867, 22.754310, 27.305172),
        (10, 10, 0.7, 0.816700, 0.976143, 2.733201),
    ],
)
def test_radii_by_hand(height, width, iou, fixed, outward, published):
    h, w = double(height), double(width)
    assert corner_radius(h, w, iou).item() == pytest.approx(fixed, abs=1e-6)
    assert corner_radius(h, w, iou, compat=True).item() == pytest.approx(published, abs=1e-5)
    # The root that the published code takes is 4 iou times the root for both corners moving outwards.
    assert published / (4 * iou) == pytest.approx(outward, abs=1e-6)


def test_a_radius_keeps_the_overlap_that_was_asked_for():
    generator = torch.Generator().manual_seed(0)
    height, width = (2 + 198 * torch.rand(2, 200, 1, generator=generator, dtype=torch.float64)).unbind(0)
    for iou in (0.1, 0.3, 0.5, 0.7, 0.9):
        r = corner_radius(height, width, iou)
        area = height * width
        inward = (height - 2 * r) * (width - 2 * r) / area
        outward = area / ((height + 2 * r) * (width + 2 * r))
        both = (height - r) * (width - r)
        alike = both / (2 * area - both)
        # Both corners moving inwards is the limiting case; the other two keep a higher IoU.
        torch.testing.assert_close(inward, torch.full_like(inward, iou), atol=1e-9, rtol=0)
        assert outward.min() >= iou
        assert alike.min() >= iou
        # The published radius gives a lower IoU than requested.
        wide = corner_radius(height, width, iou, compat=True)
        kept = (height - 2 * wide).clamp_min(0) * (width - 2 * wide).clamp_min(0) / area
        assert (kept < iou).all()


@pytest.mark.parametrize(
    ("radius", "sigma", "edge"),
    [
        (0, 0.166667, 1.0),
        (1, 0.5, 0.135335),
        (2, 0.833333, 0.056135),
        (4, 1.5, 0.028566),
        # exp(-225 / (2 * 5.166667^2)) = exp(-4.214360) = 0.0147818.
        (15, 5.166667, 0.0147818),
    ],
)
def test_the_edge_of_a_gaussian(radius, sigma, edge):
    whole, found = radius_sigma(double(radius + 0.7))
    assert whole == radius
    assert found.item() == pytest.approx(sigma, abs=1e-6)
    known = torch.ones(1, 1, dtype=torch.bool)
    gaussian = gaussians(double([[20, 30]]), double([[radius, radius]]), known, (64, 48))[0, 0]
    assert gaussian[30, 20 + radius].item() == pytest.approx(edge, abs=1e-6)
    assert (gaussian > 0).sum() == (2 * radius + 1) ** 2


@pytest.mark.parametrize(("compat", "radius", "top"), [("none", 4, (31, 20)), ("centernet", 15, (30, 20))])
@pytest.mark.parametrize("grid", [PLAIN, RATIO])
def test_gaussians_of_a_whole_crop(grid, compat, radius, top):
    gaussian = drawn(CenterNet(points=1, grid=grid, compat=compat), 48, 64)
    assert gaussian[top] == 1
    assert (gaussian == 1).sum() == 1
    assert (gaussian > 0).sum() == (2 * radius + 1) ** 2


@pytest.mark.parametrize("codec", [CenterNet(points=1, grid=PLAIN), Ttfnet(points=1, grid=PLAIN)])
@pytest.mark.parametrize("size", [(1.5, 1.5), (0.0, 0.0)])
def test_a_small_box_has_a_single_cell(codec, size):
    gaussian = drawn(codec, *size)
    assert gaussian.sum() == 1
    assert gaussian[31, 20] == 1


def test_a_box_of_ten_cells_has_a_single_cell():
    assert drawn(CenterNet(points=1, grid=PLAIN), 10, 10).sum() == 1


@settings(deadline=None, max_examples=25)
@given(
    x=st.floats(0, 191.9), y=st.floats(0, 255.9), width=st.floats(0, 400), height=st.floats(0, 400), box=st.booleans()
)
def test_every_gaussian_has_its_top(x, y, width, height, box):
    codec = Ttfnet(points=1, grid=PLAIN) if box else CenterNet(points=1, grid=PLAIN)
    gaussian = codec.encode(boxed(double(x, y), width, height)).maps["heatmap"][0, 0]
    assert gaussian[int(y // 4), int(x // 4)] == gaussian.max() == 1


@pytest.mark.parametrize(("compat", "step"), [("none", (0.3, -0.3)), ("centernet", (0.3, 0.7))])
def test_the_step_to_the_point(compat, step):
    codec = CenterNet(points=1, grid=RATIO, compat=compat)
    labels = boxed(RATIO.pixels(double(20.3, 30.7)), 192, 256)
    target = codec.encode(labels)
    row = 31 if compat == "none" else 30
    assert target.maps["offset"][0, :, row, 20].tolist() == pytest.approx(step, abs=1e-9)
    assert target.weight["offset"].nonzero().tolist() == [[0, 0, row, 20], [0, 1, row, 20]]
    poses = codec.decode(codec.perfect(target))
    assert torch.allclose(poses.xy, labels.keypoints.xy, atol=1e-9)


@pytest.mark.parametrize("compat", ["none", "centernet"])
@pytest.mark.parametrize("grid", [PLAIN, RATIO, AlignedGrid.of(IMAGE, 4)])
@settings(deadline=None, max_examples=25)
@given(x=st.floats(6, 185), y=st.floats(6, 250))
def test_steps_lose_nothing(grid, compat, x, y):
    codec = CenterNet(points=1, grid=grid, compat=compat)
    labels = boxed(double(x, y), 100, 200)
    target = codec.encode(labels)
    low, high = (-0.5, 0.5) if compat == "none" else (0, 1)
    steps = target.maps["offset"][target.weight["offset"] > 0]
    assert low - 1e-9 <= steps.min() <= steps.max() <= high
    assert torch.allclose(codec.decode(codec.perfect(target)).xy, labels.keypoints.xy, atol=1e-6)


@pytest.mark.parametrize("compat", ["none", "centernet"])
@pytest.mark.parametrize(("grid", "residue"), [(PLAIN, 0.0), (AlignedGrid.of(IMAGE, 4), 0.0), (RATIO, 1.0)])
def test_a_mirrored_image_has_its_points_back(grid, residue, compat):
    codec = CenterNet(points=K, grid=grid, compat=compat)
    xy = double([[30.1, 40.7], [50.2, 60.3], [151.9, 70.4], [33.3, 180.8], [110.6, 200.2]])
    labels = boxed(xy, 150, 200)
    mirror = replace(labels, keypoints=labels.keypoints.flipped(192, FIVE))
    maps, there = (codec.perfect(codec.encode(each)) for each in (mirror, labels))
    back = codec.flip(maps, FIVE.flip)
    # An error of a pixel remains where cell centres are multiples of the stride, whatever the rounding.
    off = codec.decode(back).xy - xy
    assert torch.allclose(off, double(residue, 0.0).expand_as(off), atol=1e-6)
    # The Gaussians of both lie in the same cells, so their mean is a Gaussian again; not always on a ratio grid.
    apart = (back["heatmap"].flatten(2).argmax(-1) - there["heatmap"].flatten(2).argmax(-1)).abs()
    assert apart.max() <= (1 if residue else 0)


@pytest.mark.parametrize(
    ("box", "radius", "sigma"),
    [((40, 20), (10, 5), (3.5, 1.833333)), ((7, 3), (1, 0), (0.5, 0.166667)), ((1.5, 1.5), (0, 0), (1 / 6, 1 / 6))],
)
def test_ttfnet_radii(box, radius, sigma):
    whole, found = radius_sigma(ellipse_radius(double(*box), 0.54))
    assert whole.tolist() == list(radius)
    assert found.tolist() == pytest.approx(sigma, abs=1e-6)
    gaussian = drawn(Ttfnet(points=1, grid=PLAIN), *box)
    assert (gaussian > 0).sum() == math.prod(2 * r + 1 for r in radius)


def test_ttfnet_gaussian():
    gaussian = drawn(Ttfnet(points=1, grid=PLAIN), 40, 20, 20.0, 30.0)
    assert gaussian[30, 25].item() == pytest.approx(0.360448, abs=1e-6)
    assert gaussian[33, 20].item() == pytest.approx(0.262149, abs=1e-6)
    assert gaussian[35, 30].item() == pytest.approx(4.0947e-4, abs=1e-8)
    assert gaussian.sum().item() == pytest.approx(40.115860, abs=1e-6)


def test_ttfnet_takes_no_box_larger_than_its_map():
    assert torch.equal(*(drawn(Ttfnet(points=1, grid=PLAIN), *box) for box in ((48, 64), (480, 70))))


def test_a_step_ends_two_cells_away():
    codec = CenterNet(points=1, grid=PLAIN)
    maps = {name: torch.zeros(1, *shape) for name, shape in codec.shapes.items()}
    maps["heatmap"][0, 0, 30, 20] = 9.0
    maps["offset"][0, :, 30, 20] = torch.tensor([70.0, -1.5])
    found = codec.decode(maps).xy
    torch.testing.assert_close(found, PLAIN.pixels(torch.tensor([[[[22.0, 28.5]]]])))
