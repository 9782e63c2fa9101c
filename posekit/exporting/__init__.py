"""Trained networks as files for other runtimes, with decoding in the graph."""
