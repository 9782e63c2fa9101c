"""Distillation: learning from branches on the same backbone (OKDHP), a trained network, or predictions."""
