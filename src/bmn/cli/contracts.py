"""`bmn contracts`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from bmn.cli.keys import PasswordFile, read_password
from bmn.cli.running import COMMON, Common, answer, columns, read_settings, run_command

if TYPE_CHECKING:
    from bmn.bindings.resolver_calls import TokenLimit
    from bmn.contracts.deploy import Plan, Rules
    from bmn.core.chain import Contracts
    from bmn.core.units import Address, ChainId
    from bmn.evm.signer import LocalSigner

app = App(name="contracts", help="Our contracts on the chains.")

_EXAMPLE = "Example: bmn contracts deploy --rpc http://127.0.0.1:8545 --chain-id 31337 --dev-key 0 --operator 0x70…"


@app.command(name="list", help_epilogue="Example: bmn contracts list --json")
def list_(*, common: Common = COMMON) -> None:
    """List the deployments others know, which of them we refuse and why, and those of the settings."""
    from bmn.cli.documents import as_document
    from bmn.contracts.registry import known_contracts

    known = known_contracts()
    settings = read_settings(common)
    configured = {
        name: {field: str(value) for field, value in chain.contracts if field in _FIELDS and value is not None}
        for name, chain in settings.chains.items()
    }
    rows = [(one.standing.value, one.address, one.name) for one in known]
    lines = columns(["standing", "address", "name"], rows, empty="")
    lines += ["", *(f"{one.address} {one.standing.value}: {one.reason}" for one in known)]
    for name, addresses in configured.items():
        lines += ["", f"chains.{name}", *(f"  {field}  {address}" for field, address in addresses.items())]
    answer({"known": as_document(known), "configured": configured}, lines, common)


@app.command(help_epilogue="Example: bmn contracts verify")
def verify(*, common: Common = COMMON) -> None:
    """Compare the contracts of every chain with the settings and with our own code; names all differences."""
    from bmn.app import check_chain, open_chains
    from bmn.config.build import build_specs

    settings = read_settings(common)
    specs = build_specs(settings)

    async def work() -> None:
        async with open_chains(settings) as chains:
            for chain_id, spec in specs.items():
                await check_chain(settings, chains[chain_id], spec)

    run_command(work(), common)
    names = [spec.name for spec in specs.values()]
    answer({"ok": True, "chains": names}, [f"{name}: as configured, code is ours" for name in names], common)


@app.command(help_epilogue=_EXAMPLE)
def deploy(
    *,
    rpc: Annotated[str, Parameter(env_var="BMN_DEPLOY_RPC", help="URL of a node.")],
    chain_id: Annotated[int, Parameter(help="The chain you mean; refused if the node serves another.")],
    dev_key: Annotated[int | None, Parameter(help="Deploy with this public key; development chains only.")] = None,
    account: Annotated[str | None, Parameter(help="Deploy with this account of the keystore.")] = None,
    password_file: PasswordFile = None,
    owner: Annotated[str | None, Parameter(help="Owner of the Resolver; else the deployer.")] = None,
    treasury: Annotated[str | None, Parameter(help="Where swept funds go; else the owner.")] = None,
    order_protocol: Annotated[str | None, Parameter(help="The chain's limit order protocol v4.")] = None,
    access_token: Annotated[str | None, Parameter(help="The chain's BMN token; else one is made.")] = None,
    operator: Annotated[tuple[str, ...], Parameter(help="Account of a signer.", negative="")] = (),
    limit: Annotated[
        tuple[str, ...], Parameter(help="TOKEN=AMOUNT in smallest units, the most of one lock.", negative="")
    ] = (),
    min_margin: Annotated[int, Parameter(help="Least margin of a lock, in seconds.")] = 600,
    common: Common = COMMON,
) -> None:
    """Deploy what is missing at addresses equal on every chain, and set the Resolver's rules if we own it.

    Prints the block for bmn.toml, and the calls that the owner must still make.
    """
    from bmn.contracts.deploy import Plan, Rules
    from bmn.core.units import Address, ChainId, Seconds

    signer = _deployer(ChainId(chain_id), dev_key, account, password_file, common)

    def address(text: str | None) -> Address | None:
        return None if text is None else Address.from_hex(text)

    first_owner = address(owner) or signer.address
    plan = Plan(
        owner=first_owner,
        treasury=address(treasury) or first_owner,
        token_holder=first_owner,
        access_token=address(access_token),
        limit_order_protocol=address(order_protocol),
    )
    rules = Rules(
        operators=tuple(map(Address.from_hex, operator)),
        limits=dict(map(_limit, limit)),
        min_margin=Seconds(min_margin),
    )
    there, missing = run_command(_deploy(rpc, ChainId(chain_id), signer, plan, rules), common)
    addresses = {field: str(getattr(there, field)) for field in _FIELDS}
    lines = [f"[chains.NAME.contracts]  # chain {chain_id}"]
    lines += [f'{field} = "{value}"' for field, value in addresses.items()]
    lines += [f"rescue_delay_src = {there.rescue_delay_src}", f"rescue_delay_dst = {there.rescue_delay_dst}"]
    lines += [f"# the owner {first_owner} must still send to {there.resolver}: 0x{call.hex()}" for call in missing]
    document = {
        "chain_id": chain_id,
        "contracts": addresses,
        "owner": str(first_owner),
        "owner_must_send": ["0x" + call.hex() for call in missing],
    }
    answer(document, lines, common)


_FIELDS = (
    "factory",
    "src_implementation",
    "dst_implementation",
    "limit_order_protocol",
    "resolver",
    "access_token",
    "noop_token",
)


async def _deploy(
    rpc: str, chain_id: "ChainId", signer: "LocalSigner", plan: "Plan", rules: "Rules"
) -> "tuple[Contracts, tuple[bytes, ...]]":
    import asyncio

    from bmn.contracts.deploy import deploy_contracts, missing_rules, set_rules
    from bmn.contracts.sending import OneByOne
    from bmn.evm.client import open_chain
    from bmn.evm.types import Endpoint
    from bmn.seams import SystemClock, SystemSpawner

    clock = SystemClock()
    async with (
        asyncio.TaskGroup() as group,
        open_chain(
            name=f"chain-{chain_id}",
            chain_id=chain_id,
            endpoints=[Endpoint(name="rpc", url=rpc)],
            quorum=1,
            clock=clock,
            spawner=SystemSpawner(group),
        ) as chain,
    ):
        sender = OneByOne(chain, signer, clock)
        there = await deploy_contracts(sender, plan)
        if signer.address == plan.owner:
            await set_rules(sender, there.resolver, rules)
        return there, await missing_rules(chain, there.resolver, rules)


def _deployer(
    chain_id: "ChainId", dev_key: int | None, account: str | None, password_file: Path | None, common: Common
) -> "LocalSigner":
    from bmn.config.keys import keystore_folder
    from bmn.core.errors import BadInput
    from bmn.core.units import Address
    from bmn.evm.devkeys import dev_signer
    from bmn.evm.keystore import load_key

    if dev_key is not None and account is None:
        return dev_signer(dev_key, [chain_id])
    if account is None or dev_key is not None:
        raise BadInput("WHO_SIGNS", "name either --account or --dev-key", hint="see: bmn keys list")
    path = keystore_folder(read_settings(common)) / f"{Address.from_hex(account).hex()}.json"
    return load_key(path, read_password(password_file))


def _limit(text: str) -> "tuple[Address, TokenLimit]":
    from bmn.bindings.resolver_calls import TokenLimit
    from bmn.core.errors import BadInput
    from bmn.core.units import Address, TokenAmount

    token, _, amount = text.partition("=")
    if not amount.isdecimal():
        raise BadInput("BAD_LIMIT", f"{text[:80]!r} is not TOKEN=AMOUNT", hint="the amount is in smallest units")
    per_lock = TokenAmount(int(amount))
    return Address.from_hex(token), TokenLimit(per_lock=per_lock, per_hour=TokenAmount(0))
