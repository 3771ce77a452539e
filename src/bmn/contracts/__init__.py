"""Our contracts on a chain: which are known, how they get there, and whether they are what they should be."""
