"""Models by name, folder, file or hub id, and how they are kept on disk."""
