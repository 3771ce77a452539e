"""Our state engine beside Deno KV and Deno's queues, in one run: the workloads W1 to W8 of `peers/deno/README.md`."""
