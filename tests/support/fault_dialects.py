"""How common nodes and providers word their limits. Texts as users reported them; the numbers are examples.

Source: public issue threads of Ponder, ethers.js, INFURA, cartesi/rollups-node, dank_mids, AlphaWallet, boba_legacy.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from tests.support.fault_rules import Fault, Refuses, Status

RangeRefusal: TypeAlias = Callable[[int, int], Refuses]
"""Gets the first and last block of a range that would do."""

TOO_WIDE: Final[Mapping[str, RangeRefusal]] = {
    "alchemy": lambda first, last: Refuses(
        -32602,
        "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range and no limit on "
        "the response size, or you can request any block range with a cap of 10K logs in the response. Based on your "
        f"parameters and the response size limit, this block range should work: [{first:#x}, {last:#x}]",
    ),
    "alchemy-free": lambda first, last: Refuses(
        -32600,
        "Under the Free tier plan, you can make eth_getLogs requests with up to a 10 block range. Based on your "
        f"parameters, this block range should work: [{first:#x}, {last:#x}]. Upgrade to PAYG for expanded block "
        "range.",
    ),
    "alchemy-timeout": lambda first, last: Refuses(
        -32000,
        "Query timeout exceeded. Consider reducing your block range. Based on your parameters and the response size "
        f"limit, this block range should work: [{first:#x}, {last:#x}]",
    ),
    "infura": lambda first, last: Refuses(
        -32005,
        f"query returned more than 10000 results. Try with this block range [{first:#X}, {last:#X}].".replace(
            "0X", "0x"
        ),
        {"from": hex(first), "limit": 10000, "to": hex(last)},
    ),
    "infura-range": lambda first, last: Refuses(-32602, f"range 1000000 exceeds limit of {last - first + 1}"),
    "quicknode": lambda first, last: Refuses(-32614, f"eth_getLogs is limited to a {last - first + 1:,} range"),
    "blockpi": lambda first, last: Refuses(
        -32602, f"eth_getLogs is limited to {last - first + 1} block range. Please check the parameter requirements"
    ),
    "bor": lambda first, last: Refuses(-32602, f"eth_getLogs is limited to 0 - {last - first + 1} blocks range"),
    "ankr": lambda first, last: Refuses(-32062, "Block range is too large"),
    "publicnode": lambda first, last: Refuses(-32701, f"exceed maximum block range: {last - first + 1}"),
    "bsc": lambda first, last: Refuses(-32000, f"exceed maximum block range: {last - first + 1}"),
    "reth-range": lambda first, last: Refuses(-32602, f"query exceeds max block range {last - first + 1}"),
    "reth-results": lambda first, last: Refuses(
        -32602, f"query exceeds max results 20000, retry with the range {first}-{last}"
    ),
    "drpc-free": lambda first, last: Refuses(
        35, f"ranges over {last - first + 1} blocks are not supported on freetier"
    ),
    "avalanche": lambda first, last: Refuses(
        -32000, f"requested too many blocks from {first} to {2 * last}, maximum is set to {last - first + 1}"
    ),
    "simply": lambda first, last: Refuses(-32000, f"too wide blocks range, the limit is {last - first + 1}"),
    "thirdweb": lambda first, last: Refuses(
        -32005,
        f"Log response size exceeded. Maximum allowed number of requested blocks is {last - first + 1}",
    ),
    "tenderly": lambda first, last: Refuses(
        -32602,
        "invalid params",
        {"error_id": "4ed94073", "payload": f"range 9009594 is bigger than range limit {last - first + 1}"},
    ),
    "candle": lambda first, last: Refuses(-32600, "block range too high"),
    "too-large": lambda first, last: Refuses(
        -32001, f"Block range too large: maximum allowed is {last - first + 1} blocks"
    ),
    "shedding": lambda first, last: Refuses(-32012, "requested range too large"),
    "besu": lambda first, last: Refuses(-32005, "Requested range exceeds maximum RPC range limit"),
    "zksync": lambda first, last: Refuses(
        -32602,
        f"Query returned more than 10000 results. Try with this block range [{first:#x}, {last:#x}].",
    ),
}

TOO_OFTEN: Final[Mapping[str, Fault]] = {
    "http": Status(429, "", {"Retry-After": "1"}),
    "http-no-header": Status(429, "Too Many Requests"),
    "alchemy": Status(
        429,
        '{"jsonrpc":"2.0","id":1,"error":{"code":429,"message":"Your app has exceeded its compute units per second '
        'capacity. If you have retries enabled, you can safely ignore this message."}}',
    ),
    "infura": Refuses(-32005, "daily request count exceeded, request rate limited"),
    "quicknode": Refuses(-32007, "50/second request limit reached - reduce calls per second or upgrade your account"),
    "proxyd": Refuses(-32016, "over rate limit"),
    "bsc": Refuses(-32005, "rate limit exceeded"),
    "thirdweb": Refuses(-32000, "Too many requests"),
}
