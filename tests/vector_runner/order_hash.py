"""EIP-712 hashes of orders, and signatures over them. The signer is coincurve, our own signing has tests of its own."""

from coincurve import PrivateKey, PublicKey
from tests.vector_runner import read
from tests.vector_runner.cases import Case, Computed

from bmn.core.compact_signature import encode_signature, parse_signature
from bmn.core.eip712 import domain_separator, order_hash, order_struct_hash
from bmn.core.hashing import keccak
from bmn.core.order import decode_order, encode_order


def _hash(case: Case) -> Computed:
    domain, order = read.domain(case.input["domain"]), read.order(case.input["order"])
    assert decode_order(encode_order(order)) == order
    digest = order_hash(domain, order)
    raw = PrivateKey(read.data(case.input["testPrivateKey"])).sign_recoverable(digest, hasher=None)
    signature = parse_signature(raw)
    assert parse_signature(signature.r + signature.vs) == signature
    recovered = PublicKey.from_signature_and_message(raw, digest, hasher=None)
    return {
        "domainSeparator": domain_separator(domain),
        "structHash": order_struct_hash(order),
        "orderHash": digest,
        "signer": keccak(recovered.format(compressed=False)[1:])[12:],
        "signature65": encode_signature(signature),
        "r": signature.r,
        "s": signature.s.to_bytes(32, "big"),
        "v": 27 + signature.y_parity,
        "yParityAndS": signature.vs,
    }


CHECKS = {"1inch-lop-v4": _hash, "bmn-lop-v1": _hash, "1inch-router-v6": _hash}
