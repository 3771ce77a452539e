"""The lanes of one process, to be killed: `python -m tests.support.lane_process DSN PORT HOLDER`."""

import asyncio
import sys

from tests.support.lane_rig import CHAIN, open_rig

from bmn.devnet.anvil import Anvil
from bmn.txmgr.lanes import run_lanes


async def main(dsn: str, port: int, holder: str) -> None:
    async with open_rig(Anvil(chain_id=CHAIN, port=port, pid=0), dsn) as rig:
        await run_lanes(rig.deps(holder))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
