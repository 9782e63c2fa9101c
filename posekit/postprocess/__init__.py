"""From decoded points to final poses: grouping, non-maximum suppression, rescoring."""
