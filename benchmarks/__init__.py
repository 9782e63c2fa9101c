"""Commands that measure every figure quoted in the docs; results are in `benchmarks/results`."""
