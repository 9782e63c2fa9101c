"""Unreduced loss functions, their modules, and the one mean that minds the weights."""
