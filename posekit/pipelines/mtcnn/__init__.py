"""MTCNN inference: windows of all sizes are scored, and the best are refined by two more networks."""
