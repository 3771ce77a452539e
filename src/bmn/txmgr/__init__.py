"""Gets each wanted transaction mined at most once, whatever happens between us and the chain."""
