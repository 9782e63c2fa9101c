"""Images to poses with NumPy and OpenCV, whatever runs the network: one stage, two stages, a cascade."""
