"""What a network learns beside its labels: from peers on its own backbone, a trained network, or predictions."""
