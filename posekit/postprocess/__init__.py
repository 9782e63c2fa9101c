"""From what a network says to what is reported: people put together from points."""
