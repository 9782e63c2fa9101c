"""What happens to poses after decoding."""
