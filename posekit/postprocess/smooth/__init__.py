"""Filters over time: steady points from shaking ones, and what that costs in delay."""
