"""Every escrow call by role and second: on our bytecode, and as `core.windows` predicts it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from tests.vector_runner import deployment, read
from tests.vector_runner.cases import Case, Check, Computed
from tests.vector_runner.deployment import HOLDER, MAKER, OUTSIDER, RECEIVER, RESOLVER, Deployment
from tests.vector_runner.local_chain import LocalChain, Outcome, Reverted, open_local_chain

from bmn.bindings import escrow_calls, factory_calls, order_protocol_calls, token_calls
from bmn.bindings.abi import decode_revert
from bmn.bindings.escrow_logs import ESCROW_WITHDRAWAL
from bmn.core.compact_signature import parse_signature
from bmn.core.eip712 import Domain, order_hash
from bmn.core.escrow_address import escrow_address
from bmn.core.escrow_order import (
    EscrowOrder,
    ExtraDataArgs,
    FillKind,
    PostInteraction,
    WhitelistEntry,
    build_escrow_order,
)
from bmn.core.hashing import keccak
from bmn.core.immutables import Immutables, decode_immutables, encode_immutables
from bmn.core.order import Order
from bmn.core.traits import TakerArgs, encode_taker_args, low_80_bits, pack_taker_traits, taker_traits_for
from bmn.core.units import (
    NATIVE,
    ZERO_ADDRESS,
    Address,
    ChainId,
    Hash32,
    OrderHash,
    Seconds,
    Secret,
    TokenAmount,
    UnixTime,
    Wei,
)
from bmn.core.windows import Call, Role, Side, needs_secret, role_for, window_of

_CHAIN_ID = 8453
_BORN = UnixTime(1_795_458_000)
_NOOP_TOKEN = Address.from_hex("0xda0000d4000015a526378bb6fafc650cea5966f8")
_ROLES = {"maker": MAKER, "resolver": RESOLVER, "holder": HOLDER, "outsider": OUTSIDER, "receiver": RECEIVER}
_OTHER_SECRET = Secret(keccak(b"some other secret"))
_WRONG_WORDS = {
    "wrong-orderHash": 0,
    "wrong-hashlock": 1,
    "wrong-maker": 2,
    "wrong-token": 4,
    "wrong-amount": 5,
    "wrong-safetyDeposit": 6,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """One call as a case describes it."""

    side: Side
    call: Call
    caller: Address
    at: UnixTime
    secret: Secret
    shown: Immutables
    """As passed in the call, maybe not the escrow's."""


@contextmanager
def open_checks() -> Iterator[Mapping[str, Check]]:
    """Deploy once; every case starts from there."""
    with open_local_chain(_CHAIN_ID) as chain:
        contracts = deployment.deploy(chain)
        lots = TokenAmount(10**24)
        deployment.give(chain, contracts.token, MAKER, lots)
        deployment.give(chain, contracts.token, RESOLVER, lots)
        chain.must(MAKER, contracts.token, token_calls.build_approve(contracts.lop, lots))
        chain.must(RESOLVER, contracts.token, token_calls.build_approve(contracts.factory, lots))

        def check(case: Case) -> Computed:
            with chain.undone():
                return _replay(chain, contracts, case)

        kinds = ("withdraw", "withdrawTo", "publicWithdraw", "cancel", "publicCancel", "rescueFunds")
        yield dict.fromkeys((*kinds, "invalid-input", "second-spend"), check)


def _replay(chain: LocalChain, contracts: Deployment, case: Case) -> Computed:
    raw = case.input
    side = Side(raw["side"])
    assert raw["rescueDelay"] == deployment.RESCUE_DELAYS[list(Side).index(side)]
    secret = _secret(case)
    escrow, immutables = _create(chain, contracts, case, side, secret)
    if "firstCall" in raw:
        first = _Attempt(
            side=side,
            call=Call(raw["firstCall"]),
            caller=RESOLVER,
            at=UnixTime(_BORN + raw["firstAt"]),
            secret=secret,
            shown=immutables,
        )
        chain.must(RESOLVER, escrow, _calldata(first, raw), at=first.at)
    attempt = _vary(
        _Attempt(
            side=side,
            call=Call(raw["function"]),
            caller=_ROLES[raw["caller"]],
            at=UnixTime(_BORN + raw["secondsSinceDeployment"]),
            secret=secret,
            shown=immutables,
        ),
        raw.get("variation"),
    )
    seen = _call(chain, contracts, escrow, attempt, _calldata(attempt, raw))
    predicted = _predict(attempt, immutables, Seconds(raw["rescueDelay"]), is_spent="firstCall" in raw)
    if predicted != seen.get("error"):
        raise AssertionError(f"core.windows predicts {predicted}, the chain says {seen}")
    return seen


def _call(
    chain: LocalChain, contracts: Deployment, escrow: Address, attempt: _Attempt, calldata: bytes
) -> dict[str, object]:
    error = None
    try:
        chain.simulate(attempt.caller, escrow, calldata, at=attempt.at)
    except Reverted as reverted:
        error = reverted.data
    before = _balances(chain, contracts)
    outcome = chain.send(attempt.caller, escrow, calldata, at=attempt.at)
    assert outcome.ok == (error is None), "simulation and transaction disagree"
    if error is not None:
        assert _changes(before, _balances(chain, contracts)) == {}, "a refused call moved something"
        return {"ok": False, "error": decode_revert(error), "revertData": error}
    return {
        "ok": True,
        "logs": _escrow_logs(outcome, escrow),
        "balanceChanges": _changes(before, _balances(chain, contracts)),
    }


def _predict(attempt: _Attempt, real: Immutables, rescue_delay: Seconds, *, is_spent: bool) -> str | None:
    """Say what the escrow refuses, by the order of its checks; `is_spent`: its funds have left."""
    window = window_of(attempt.side, attempt.call, attempt.shown.timelocks, rescue_delay)
    may_call = {Role.TAKER: attempt.shown.taker, Role.HOLDER: HOLDER}[role_for(attempt.call)]
    caller = "InvalidCaller()" if attempt.caller != may_call else None
    time = None if window.is_open(attempt.at) else "InvalidTime()"
    immutables = "InvalidImmutables()" if attempt.shown != real else None
    secret = None
    if needs_secret(attempt.call) and attempt.secret.hashlock != attempt.shown.hashlock:
        secret = "InvalidSecret()"
    spent = None
    if is_spent:
        spent = "NativeTokenSendingFailure()" if real.token == NATIVE else "SafeTransferFailed()"
    asks_immutables_first = attempt.call is Call.RESCUE or (attempt.side, attempt.call) == (Side.DST, Call.CANCEL)
    middle = (immutables, time) if asks_immutables_first else (time, immutables)
    return next((error for error in (caller, *middle, secret, spent) if error), None)


def _create(
    chain: LocalChain, contracts: Deployment, case: Case, side: Side, secret: Secret
) -> tuple[Address, Immutables]:
    immutables = Immutables(
        order_hash=OrderHash(keccak(case.id.encode())),
        hashlock=secret.hashlock,
        maker=MAKER,
        taker=RESOLVER,
        token=NATIVE if case.input["native"] else contracts.token,
        amount=read.amount(case.input["amount"]),
        safety_deposit=Wei(int(case.input["safetyDeposit"])),
        timelocks=read.offsets(case.input["timelockOffsets"]),
    )
    if side is Side.DST:
        return _create_dst(chain, contracts, immutables)
    return _create_src(chain, contracts, immutables)


def _create_dst(chain: LocalChain, contracts: Deployment, immutables: Immutables) -> tuple[Address, Immutables]:
    born = replace(immutables, timelocks=immutables.timelocks.deployed(_BORN))
    value = immutables.safety_deposit + (immutables.amount if immutables.token == NATIVE else 0)
    create = factory_calls.build_create_dst_escrow(immutables, UnixTime(2**32))
    chain.must(RESOLVER, contracts.factory, create, value=value, at=_BORN)
    return _escrow(contracts, contracts.dst_implementation, born), born


def _create_src(chain: LocalChain, contracts: Deployment, immutables: Immutables) -> tuple[Address, Immutables]:
    order, extension = build_escrow_order(_terms(contracts, immutables))
    domain = Domain(
        name="1inch Limit Order Protocol",
        version="4",
        chain_id=ChainId(_CHAIN_ID),
        verifying_contract=contracts.lop,
    )
    born = replace(immutables, order_hash=order_hash(domain, order), timelocks=immutables.timelocks.deployed(_BORN))
    escrow = _escrow(contracts, contracts.src_implementation, born)
    args = TakerArgs(target=escrow, extension=extension)
    fill = order_protocol_calls.build_fill_order_args(
        order,
        parse_signature(_sign(chain, domain, order)),
        immutables.amount,
        pack_taker_traits(taker_traits_for(args, is_making_amount=True)),
        encode_taker_args(args),
    )
    chain.must(RESOLVER, escrow, value=immutables.safety_deposit, at=UnixTime(_BORN - 1))
    chain.must(RESOLVER, contracts.lop, fill, at=_BORN)
    return escrow, born


def _terms(contracts: Deployment, immutables: Immutables) -> EscrowOrder:
    return EscrowOrder(
        kind=FillKind.SINGLE,
        maker=immutables.maker,
        receiver=ZERO_ADDRESS,
        maker_asset=immutables.token,
        taker_asset=_NOOP_TOKEN,
        making_amount=immutables.amount,
        taking_amount=immutables.amount,
        post_interaction=PostInteraction(
            factory=contracts.factory,
            resolving_start=UnixTime(_BORN - 1),
            whitelist=(WhitelistEntry(low_bits=low_80_bits(RESOLVER), delay=Seconds(0)),),
            extra=ExtraDataArgs(
                hashlock_info=Hash32(immutables.hashlock),
                dst_chain_id=ChainId(10),
                dst_token=immutables.token,
                src_safety_deposit=immutables.safety_deposit,
                dst_safety_deposit=immutables.safety_deposit,
                timelocks=immutables.timelocks,
            ),
        ),
        salt_base=1,
        nonce=1,
        expiration=UnixTime(0),
    )


def _sign(chain: LocalChain, domain: Domain, order: Order) -> bytes:
    """Let the node sign: its EIP-712 is not ours."""
    fields = {
        "salt": "uint256",
        "maker": "address",
        "receiver": "address",
        "makerAsset": "address",
        "takerAsset": "address",
        "makingAmount": "uint256",
        "takingAmount": "uint256",
        "makerTraits": "uint256",
    }
    types = {
        "EIP712Domain": {
            "name": "string",
            "version": "string",
            "chainId": "uint256",
            "verifyingContract": "address",
        },
        "Order": fields,
    }
    message = {
        "types": {name: [{"name": key, "type": kind} for key, kind in of.items()] for name, of in types.items()},
        "primaryType": "Order",
        "domain": {
            "name": domain.name,
            "version": domain.version,
            "chainId": domain.chain_id,
            "verifyingContract": str(domain.verifying_contract),
        },
        "message": {
            key: str(value) if isinstance(value, bytes) else hex(value) if isinstance(value, int) else value
            for key, value in read.show_order(order).items()
        },
    }
    return read.data(chain.rpc("eth_signTypedData_v4", str(order.maker), message))


def _escrow(contracts: Deployment, implementation: Address, immutables: Immutables) -> Address:
    return escrow_address(factory=contracts.factory, implementation=implementation, immutables=immutables)


def _secret(case: Case) -> Secret:
    """The secret that the file shows in its log, if it does."""
    for log in case.expected.get("logs", ()):
        if read.data(log["topics"][0]) == ESCROW_WITHDRAWAL:
            return Secret(read.data(log["data"]))
    return Secret(keccak(b"a secret"))


def _vary(attempt: _Attempt, variation: str | None) -> _Attempt:
    shown = attempt.shown
    match variation:
        case None:
            return attempt
        case "wrong-secret":
            return replace(attempt, secret=_OTHER_SECRET)
        case "forged-hashlock":
            return replace(attempt, secret=_OTHER_SECRET, shown=replace(shown, hashlock=_OTHER_SECRET.hashlock))
        case "forged-taker":
            return replace(attempt, shown=replace(shown, taker=attempt.caller))
        case "wrong-deployedAt":
            # Far enough back that the window seems open, not so far that it seems over.
            at = UnixTime(shown.timelocks.deployed_at - 60)
            return replace(attempt, shown=replace(shown, timelocks=shown.timelocks.deployed(at)))
        case _:
            return replace(attempt, shown=_with_other_word(shown, _WRONG_WORDS[variation]))


def _with_other_word(shown: Immutables, index: int) -> Immutables:
    words = bytearray(encode_immutables(shown))
    words[32 * index + 31] ^= 1
    return decode_immutables(bytes(words))


def _calldata(attempt: _Attempt, raw: Mapping[str, str]) -> bytes:
    secret, shown = attempt.secret, attempt.shown
    if attempt.call is Call.RESCUE:
        token, amount = {
            "token": (shown.token, shown.amount),
            "native": (NATIVE, TokenAmount(shown.safety_deposit)),
        }[raw["rescue"]]
        return escrow_calls.build_rescue_funds(token, amount, shown)
    builders = {
        Call.WITHDRAW: lambda: escrow_calls.build_withdraw(secret, shown),
        Call.WITHDRAW_TO: lambda: escrow_calls.build_withdraw_to(secret, RECEIVER, shown),
        Call.PUBLIC_WITHDRAW: lambda: escrow_calls.build_public_withdraw(secret, shown),
        Call.CANCEL: lambda: escrow_calls.build_cancel(shown),
        Call.PUBLIC_CANCEL: lambda: escrow_calls.build_public_cancel(shown),
    }
    return builders[attempt.call]()


def _escrow_logs(outcome: Outcome, escrow: Address) -> list[dict[str, object]]:
    return [{"topics": list(log.topics), "data": log.data} for log in outcome.logs if log.address == escrow]


def _balances(chain: LocalChain, contracts: Deployment) -> dict[str, dict[str, int]]:
    return {
        name: {
            "token": deployment.token_balance(chain, contracts.token, account),
            "native": chain.balance(account),
        }
        for name, account in _ROLES.items()
    }


def _changes(before: dict[str, dict[str, int]], after: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    changes = {
        name: {kind: after[name][kind] - old for kind, old in kinds.items() if after[name][kind] != old}
        for name, kinds in before.items()
    }
    return {name: kinds for name, kinds in changes.items() if kinds}
