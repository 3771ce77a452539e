"""What the indexer knows, as GraphQL with the conventions of Ponder."""
