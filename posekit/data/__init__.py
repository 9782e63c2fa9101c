"""Files to samples and back: readers, writers, checks, packs, and a set drawn on the fly."""
