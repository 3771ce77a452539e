"""What make runs: installation, documents made from code."""
