"""Addresses of escrow clones."""

from tests.vector_runner import read
from tests.vector_runner.cases import Case, Computed

from bmn.core.escrow_address import clone_init_code_hash, escrow_address
from bmn.core.immutables import dst_immutables, hash_immutables


def _pure(case: Case) -> Computed:
    immutables = read.immutables(case.input["immutables"])
    implementation = read.address(case.input["implementation"])
    return {
        "immutablesHash": hash_immutables(immutables),
        "proxyBytecodeHash": clone_init_code_hash(implementation),
        "escrow": escrow_address(
            factory=read.address(case.input["factory"]), implementation=implementation, immutables=immutables
        ),
    }


def _factory(case: Case) -> Computed:
    immutables = read.immutables(case.input["immutables"])
    factory = read.address(case.input["factory"])
    src, dst = read.address(case.input["srcImplementation"]), read.address(case.input["dstImplementation"])
    return {
        "immutablesHash": hash_immutables(immutables),
        "srcProxyBytecodeHash": clone_init_code_hash(src),
        "dstProxyBytecodeHash": clone_init_code_hash(dst),
        "srcEscrow": escrow_address(factory=factory, implementation=src, immutables=immutables),
        "dstEscrow": escrow_address(factory=factory, implementation=dst, immutables=immutables),
    }


def _dst_from_src_event(case: Case) -> Computed:
    immutables = dst_immutables(
        read.immutables(case.input["srcImmutables"]),
        read.complement(case.input["complement"]),
        taker=read.address(case.input["taker"]),
        deployed_at=read.moment(case.input["dstBlockTime"]),
    )
    return {
        "dstImmutables": read.show_immutables(immutables),
        "immutablesHash": hash_immutables(immutables),
        "escrow": escrow_address(
            factory=read.address(case.input["factory"]),
            implementation=read.address(case.input["implementation"]),
            immutables=immutables,
        ),
    }


CHECKS = {"pure": _pure, "factory": _factory, "dst-from-src-event": _dst_from_src_event}
