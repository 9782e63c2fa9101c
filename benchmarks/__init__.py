"""Commands that make every figure quoted in README and docs; results lie in `benchmarks/results`."""
