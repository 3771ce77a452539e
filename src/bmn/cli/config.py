"""`bmn config`."""

from cyclopts import App

from bmn.cli.running import COMMON, Common, answer, read_settings

app = App(name="config", help="The settings.")


@app.command(help_epilogue="Example: bmn config show --json")
def show(*, common: Common = COMMON) -> None:
    """Show the settings in force, from file, .env and environment. Passwords and the URLs of nodes are left out."""
    import json

    document = read_settings(common).model_dump(mode="json", exclude_none=True)
    for chain in document["chains"].values():
        chain["rpc"] = [endpoint.get("name") or "unnamed" for endpoint in chain["rpc"]]
    answer(document, json.dumps(document, indent=2).splitlines(), common)


@app.command(help_epilogue="Example: bmn config check --config bmn.toml")
def check(*, common: Common = COMMON) -> None:
    """Read the settings and name every problem at once; asks no chain and no database (`bmn doctor` does)."""
    settings = read_settings(common)
    summary = f"ok: {len(settings.chains)} chains, {len(settings.pairs)} pairs, {len(settings.tokens)} tokens"
    answer({"ok": True}, [summary], common)
