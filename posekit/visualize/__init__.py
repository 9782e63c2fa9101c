"""Pictures of poses, maps and curves, and the report of a run."""
