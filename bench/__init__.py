"""The numbers we publish, and how they are measured. Never part of `make test`."""
