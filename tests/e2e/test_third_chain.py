"""A third chain is a block in the settings, and no code."""

from pathlib import Path

from bmn.app import open_chains
from bmn.config.build import build_margins, build_specs
from bmn.config.load import load_settings
from bmn.demo.service import open_service
from bmn.demo.stories import Cast, draw_order, shared_reveal
from bmn.devnet.world import MAKER_KEY, open_devnet
from bmn.evm.devkeys import DEV_CHAIN_IDS, dev_signer
from bmn.maker.approve import approve_order
from bmn.maker.vault import KEY_PURPOSE, Vault
from bmn.sdk.client import open_resolver
from bmn.seams import SystemRng
from bmn.store.sealing import Sealer


async def test_a_swap_between_the_second_and_a_third_chain_needs_settings_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    said: list[str] = []
    async with open_devnet(tmp_path / "world", chain_ids=DEV_CHAIN_IDS) as devnet:
        settings = load_settings(devnet.config_path)
        _, src, dst = build_specs(settings).values()
        signer = dev_signer(MAKER_KEY, DEV_CHAIN_IDS)
        async with (
            open_service(devnet) as service,
            open_chains(settings) as chains,
            open_resolver(devnet.api_url) as resolver,
        ):
            cast = Cast(
                devnet=devnet,
                service=service,
                src=src,
                dst=dst,
                src_chain=chains[src.id],
                dst_chain=chains[dst.id],
                margins=build_margins(settings)[src.id, dst.id],
                signer=signer,
                vault=Vault(devnet.home, Sealer(signer.derive_key(KEY_PURPOSE), SystemRng())),
                resolver=resolver,
                impatient=resolver,
            )
            order = await draw_order(cast)
            await approve_order(order, src, cast.sender(src, cast.src_chain))
            status = await shared_reveal(cast, order, lambda state, _: said.append(state))
    assert (status.src_chain, status.dst_chain, status.state) == (31338, 31339, "SETTLED")
