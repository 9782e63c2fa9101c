"""Known skeletons: names, mirror pairs, bones and OKS sigmas, data only."""
