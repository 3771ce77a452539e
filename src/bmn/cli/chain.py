"""`bmn chain`."""

from dataclasses import fields

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
    """Ask every endpoint of every chain for its head; fails with exit code 5 if one does not answer.

    `ms` is the time of that answer and `lag` the blocks it is behind the others. State, why it is resting, and calls an
    hour are those of the running processes.
    """
    from bmn.cli.endpoints import examine_endpoints
    from bmn.core.errors import ChainError

    found = run_command(examine_endpoints(read_settings(common)), common)
    shown = [{field.name: getattr(one, field.name) for field in fields(one)} for one in found]
    documents = [
        {name: str(value) if name == "error" else value for name, value in one.items() if value is not None}
        for one in shown
    ]
    head = list(shown[0]) if shown else []
    answer(documents, columns(head, [list(one.values()) for one in shown], empty=""), common)
    broken = sum(one.error is not None for one in found)
    if broken:
        raise ChainError(
            "RPC_UNREACHABLE",
            f"{broken} of {len(found)} endpoints do not answer as they should",
            hint="correct or remove them in [chains]",
        )
