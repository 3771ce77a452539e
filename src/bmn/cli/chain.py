"""`bmn chain`."""

from cyclopts import App

from bmn.cli.running import COMMON, Common, answer, columns, read_settings, run_command

app = App(name="chain", help="The configured chains.")


@app.command(name="list", help_epilogue="Example: bmn chain list")
def list_(*, common: Common = COMMON) -> None:
    """List the chains of the settings; asks none of them."""
    from bmn.cli.documents import as_document
    from bmn.config.build import build_specs

    specs = build_specs(read_settings(common)).values()
    rows = [(spec.name, spec.id, spec.depth, spec.contracts.factory, spec.contracts.resolver) for spec in specs]
    answer(as_document(list(specs)), columns(["name", "id", "depth", "factory", "resolver"], rows, empty=""), common)


@app.command(help_epilogue="Example: bmn chain status --json")
def status(*, common: Common = COMMON) -> None:
    """Ask every endpoint of every chain for its head; fails with exit code 5 if one does not answer."""
    from bmn.app import open_chains
    from bmn.core.errors import ChainError
    from bmn.evm.client import Node
    from bmn.evm.types import BlockTag

    settings = read_settings(common)

    async def ask(chain: str, node: Node) -> dict[str, object]:
        try:
            found, head = await node.chain_id(), await node.block(BlockTag.HEAD)
        except ChainError as error:
            return {"chain": chain, "endpoint": node.name, "error": str(error)}
        return {
            "chain": chain,
            "endpoint": node.name,
            "id": found,
            "block": None if head is None else head.number,
            "time": None if head is None else head.timestamp,
        }

    async def work() -> list[dict[str, object]]:
        async with open_chains(settings) as chains:
            return [await ask(chain.name, node) for chain in chains.values() for node in chain.nodes]

    found = run_command(work(), common)
    head = ["chain", "endpoint", "id", "block", "time", "error"]
    rows = [[one.get(name) for name in head] for one in found]
    answer(found, columns(head, rows, empty=""), common)
    broken = [one for one in found if "error" in one]
    if broken:
        raise ChainError(
            "RPC_UNREACHABLE",
            f"{len(broken)} of {len(found)} endpoints do not answer as they should",
            hint="correct or remove them in [chains]",
        )
