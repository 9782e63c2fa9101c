"""MTCNN in use: windows of every size are scored, and what is left is looked at twice again."""
