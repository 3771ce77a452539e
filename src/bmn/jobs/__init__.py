"""Scheduled tasks: one file for each, with `async def run(deps)`; `table` says when they are due."""
