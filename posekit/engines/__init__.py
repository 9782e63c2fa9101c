"""Engines: images of a model's size to poses in their pixels, by one runtime each; and what a model says of itself."""
