"""One function per published run: a skeleton in, a recipe out."""
