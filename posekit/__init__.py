"""2-D keypoint detection: every representation behind one small interface."""
