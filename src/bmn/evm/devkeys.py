"""The keys everybody knows: those of anvil's test mnemonic. Money on them is anybody's, so real chains refuse them."""

from collections.abc import Collection
from typing import Final

from bmn.core.errors import BadInput, Refused
from bmn.core.units import Address, ChainId
from bmn.evm.signer import LocalSigner

DEV_CHAIN_IDS: Final = (ChainId(31337), ChainId(31338), ChainId(31339))
"""Chains of our own making."""

# Source: mnemonic "test test … junk", paths m/44'/60'/0'/0/0 to 9, as anvil and hardhat print at start.
_KEYS: Final = (
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
    "47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a",
    "8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba",
    "92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e",
    "4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356",
    "dbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97",
    "2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6",
)

DEV_ADDRESSES: Final = tuple(
    Address.from_hex(text)
    for text in (
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
        "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
        "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65",
        "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc",
        "0x976EA74026E726554dB657fA54763abd0C3a0aa9",
        "0x14dC79964da2C08b23698B3D3cc7Ca32193d9955",
        "0x23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f",
        "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720",
    )
)
"""The accounts of the keys, in their order. A real chain has no business with them, whatever file they came from."""


def dev_signer(index: int, chain_ids: Collection[ChainId], *, dev_chain_ids: Collection[ChainId] = ()) -> LocalSigner:
    """Return the signer of dev key `index` for use on `chain_ids`, all of which must be dev chains.

    `dev_chain_ids` adds to our own dev chains.

    Raises:
        BadInput: there is no such key.
        Refused: DEV_KEY_ON_REAL_CHAIN.
    """
    if not 0 <= index < len(_KEYS):
        raise BadInput("BAD_DEV_KEY", f"dev keys are numbered 0 to {len(_KEYS) - 1}, got {index}")
    real = sorted(set(chain_ids) - set(DEV_CHAIN_IDS) - set(dev_chain_ids))
    if real:
        raise Refused(
            "DEV_KEY_ON_REAL_CHAIN",
            f"dev key {index} is public, and chain {real[0]} is not a development chain",
            hint="make a key with: bmn keys create",
        )
    return LocalSigner(bytes.fromhex(_KEYS[index]))
