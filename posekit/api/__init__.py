"""The plain functions: train, evaluate, predict. The command line parses, calls these, and prints."""
