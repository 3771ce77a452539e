from bmn.contracts.registry import Standing, known_contracts, refused_factory, variant_of
from bmn.core.units import Address

MISSION_FACTORY = Address.from_hex("0x75ee15F6BfDd06Aee499ed95e8D92a114659f4d1")
MISSION_TOKEN = Address.from_hex("0x8287CD2aC7E227D9D927F998EB600a0683a832A1")


def test_the_missions_factory_is_refused_with_its_reason() -> None:
    entry = refused_factory(MISSION_FACTORY)
    assert entry is not None
    assert entry.standing is Standing.REFUSED
    assert "lost for ever" in entry.reason


def test_the_missions_token_is_known_and_no_factory() -> None:
    [entry] = [entry for entry in known_contracts() if entry.address == MISSION_TOKEN]
    assert entry.standing is Standing.KNOWN
    assert refused_factory(MISSION_TOKEN) is None


def test_no_known_factory_is_used_for_ours() -> None:
    factories = [entry for entry in known_contracts() if entry.kind == "factory"]
    assert len(factories) == 10
    assert all(refused_factory(entry.address) == entry for entry in factories)


def test_no_address_stands_twice() -> None:
    addresses = [entry.address for entry in known_contracts()]
    assert len(addresses) == len(set(addresses))


def test_every_known_factory_is_readable_and_none_of_them_usable() -> None:
    for entry in known_contracts():
        assert (entry.variant is not None) == (entry.kind == "factory")
        assert variant_of(entry.address) is entry.variant
        if entry.variant is not None:
            assert refused_factory(entry.address) is not None


def test_an_unknown_factory_has_no_variant() -> None:
    assert variant_of(Address(bytes(20))) is None
