"""`bmn status`."""

from bmn.cli.running import COMMON, Common, answer, columns, read_settings, run_command


def status(*, common: Common = COMMON) -> None:
    """Show how far each chain was read, how many swaps are in which state, and what waits on the queues."""
    import time

    from bmn.app import open_store
    from bmn.cli.documents import as_document
    from bmn.config.build import build_specs
    from bmn.indexer import ChainStatus, indexer_status
    from bmn.pg.depth import QueueDepth, load_depth
    from bmn.pg.pool import connection
    from bmn.store.swaps import count_swaps

    settings = read_settings(common)
    specs = build_specs(settings)

    async def work() -> tuple[list[ChainStatus], dict[str, int], list[QueueDepth]]:
        async with open_store(settings) as (_, pool), connection(pool) as conn:
            chains = await indexer_status(conn, specs.values(), now=time.time())
            return chains, await count_swaps(conn), await load_depth(conn)

    chains, swaps, queues = run_command(work(), common)
    lines = columns(
        ["chain", "block", "final", "behind", "halted"],
        [(one.name, one.number, one.final_number, _seconds(one.behind_seconds), one.halted or "no") for one in chains],
        empty="no chains",
    )
    lines += ["", *columns(["state", "swaps"], list(swaps.items()), empty="no swaps yet")]
    lines += [
        "",
        *columns(
            ["queue", "ready", "delayed", "leased"],
            [(queue.queue, queue.ready, queue.delayed, queue.leased) for queue in queues],
            empty="queues are empty",
        ),
    ]
    answer({"chains": as_document(chains), "swaps": swaps, "queues": as_document(queues)}, lines, common)


def _seconds(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f} s"
