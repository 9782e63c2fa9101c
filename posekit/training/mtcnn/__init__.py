"""The three networks of MTCNN, trained in turn."""
