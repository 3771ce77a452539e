"""PostgreSQL: a server of our own, pool, migrations, queue, wake-ups, leases. Knows nothing about swaps."""
