"""Images to poses, with torch."""
