"""`bmn devnet`."""

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from bmn.cli.running import COMMON, Common, answer, run_command

app = App(name="devnet", help="Local chains to try things on.")


@app.command(help_epilogue="Example: bmn devnet up --home .bmn")
def up(
    *,
    home: Annotated[Path, Parameter(env_var="BMN_HOME", help="Where bmn.toml goes.")] = Path(".bmn"),
    block_time: Annotated[int, Parameter(help="Seconds between two blocks.")] = 1,
    common: Common = COMMON,
) -> None:
    """Start two chains with our contracts, tokens and a funded maker; write a bmn.toml; run until Ctrl-C."""
    from bmn.cli.documents import as_document
    from bmn.core.errors import BadInput
    from bmn.devnet.world import open_devnet

    if block_time < 1:
        raise BadInput("BAD_BLOCK_TIME", "blocks are at least one second apart", hint="leave --block-time out")

    async def work() -> None:
        async with open_devnet(home.absolute(), block_time=block_time) as devnet:
            chains = {
                chain.name: {"id": chain.anvil.chain_id, "url": chain.anvil.url, "contracts": chain.contracts}
                for chain in devnet.chains
            }
            lines = [f"{chain.name}: chain {chain.anvil.chain_id} at {chain.anvil.url}" for chain in devnet.chains]
            lines += [f"settings: {devnet.config_path}", f"next: bmn run --config {devnet.config_path}"]
            answer(
                {
                    "config": str(devnet.config_path),
                    "api_url": devnet.api_url,
                    "indexer_url": devnet.indexer_url,
                    "chains": as_document(chains),
                },
                lines,
                common,
            )
            await asyncio.Event().wait()

    run_command(work(), common, terminated=0)
