"""Points, boxes, grids and affine maps: the frame every other room speaks in. No networks, no torch."""
