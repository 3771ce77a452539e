"""Local development chains."""
