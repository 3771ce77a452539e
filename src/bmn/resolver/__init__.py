"""The resolver: takes orders in, looks at facts, decides, records what is wanted. Transactions are sent elsewhere."""
