"""EVM nodes and keys: JSON-RPC, blocks, logs, signing. Knows nothing about swaps."""
