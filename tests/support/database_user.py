"""A process that uses the embedded database of HOME until its input ends. Arguments: HOME SYSTEM_DIR."""

import asyncio
import sys
from pathlib import Path

from bmn.pg.embedded import open_database


async def main() -> None:
    async with open_database(Path(sys.argv[1]), None, system_dir=Path(sys.argv[2])) as dsn:
        print(dsn, flush=True)
        await asyncio.to_thread(sys.stdin.read)


asyncio.run(main())
