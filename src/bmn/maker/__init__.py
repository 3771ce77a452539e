"""The maker's side: make an order, check what the resolver did, reveal, cancel. Trusts its own nodes only."""
