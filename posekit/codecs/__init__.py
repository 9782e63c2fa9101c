"""Points to maps and back, one representation a file."""
