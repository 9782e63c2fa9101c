"""Experiments anyone can repeat."""
