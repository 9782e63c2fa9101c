"""Points, boxes, grids and affine maps. No networks, no torch."""
