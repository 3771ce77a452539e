"""Types and rules of a swap; pure."""
