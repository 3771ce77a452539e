"""The example of docs/state-engine.md runs."""

import re
from pathlib import Path
from typing import Any

from bmn.pg import kv as kv_module
from bmn.pg import queue as queue_module
from bmn.pg.kv import Commit, Set, open_kv
from bmn.pg.pool import open_pool
from bmn.pg.queue import NewMessage, claim
from bmn.pg.wake import Wake

PAGE = Path(__file__).parents[3] / "docs" / "state-engine.md"


async def test_the_example_does_what_it_says(engine_database: str) -> None:
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {**vars(kv_module), **vars(queue_module)}
    exec(compile(found[1], str(PAGE), "exec"), names)  # our own page
    async with open_pool(engine_database) as pool, open_kv(pool, Wake()) as kv:
        changes = (Set(key="orders/1", value=b"", tag="created"), Set(key="drafts/1", value=b""))
        await kv.commit(Commit(changes=changes, messages=(NewMessage(queue="q", kind="pay@1", payload=b""),)))
        [claimed] = await claim(pool, ["q"], 1, 60)
        assert await names["pay"](kv, "1", claimed)
        assert await names["list_paid"](kv) == ["orders/1"]
        assert await names["wait_for_news"](kv) == "orders/1"
        assert await kv.get("drafts/1") is None
        [following] = await claim(pool, ["orders:execution"], 1, 60)
        assert (following.kind, following.payload) == ("claim@1", b"1")
