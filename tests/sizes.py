"""Sizes that are pairwise unequal and never 1, so that no axis can stand in for another."""

B, N, K, H, W = 2, 3, 5, 16, 12
