"""Engines: images of the network's input size to poses, one engine for each runtime; and the spec of a model."""
