"""The training loop: data loading, optimisation, checkpoints, distillation."""
