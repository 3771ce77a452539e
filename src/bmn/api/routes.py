"""The routes: parse, call, show."""

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from prometheus_client import generate_latest

from bmn.api.bodies import (
    AcceptedBody,
    ChainBody,
    ComponentBody,
    HealthBody,
    OrderBody,
    PairBody,
    ResolverBody,
    SecretBody,
    SwapBody,
    SwapsBody,
    TakenBody,
    parse_order_body,
    parse_secret_body,
    show_swap,
)
from bmn.api.event_routes import build_event_routes
from bmn.api.ports import ApiDeps
from bmn.api.problems import problem
from bmn.core.chain import ChainSpec
from bmn.core.errors import BadInput, NotFound
from bmn.core.swap import State
from bmn.core.units import OrderHash
from bmn.resolver.intake import Rejected
from bmn.resolver.secret_intake import NotTaken


def build_routes(deps: ApiDeps) -> Sequence[HTTPRouteHandler]:
    """Return every route over `deps`."""
    return [*_order_routes(deps), *build_event_routes(deps.open_feed), *_service_routes(deps)]


def _order_routes(deps: ApiDeps) -> Sequence[HTTPRouteHandler]:
    @post("/api/v1/orders", status_code=201)
    async def submit_order(data: JSONBody[OrderBody]) -> Response[Any]:
        answer = await deps.accept_order(parse_order_body(data))
        if isinstance(answer, Rejected):
            return problem(422, answer.code, answer.detail, hint=answer.hint)
        body = AcceptedBody(order_hash=str(answer.order_hash), hashlock=str(answer.hashlock), state=answer.state.value)
        return Response(body, status_code=201 if answer.is_new else 200)

    @get("/api/v1/orders")
    async def list_orders(
        of_state: Annotated[str | None, QueryParameter(name="state")] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=500)] = 50,
    ) -> SwapsBody:
        views = await deps.list_views(_parse_state(of_state), limit)
        return SwapsBody(orders=[show_swap(view) for view in views])

    @get("/api/v1/orders/{order:str}")
    async def show_order(order: FromPath[str]) -> SwapBody:
        view = await deps.load_view(OrderHash.from_hex(order))
        if view is None:
            raise NotFound("ORDER_UNKNOWN", "no order with this hash was accepted here")
        return show_swap(view)

    @post("/api/v1/orders/{order:str}/secret", status_code=202)
    async def hand_over_secret(order: FromPath[str], data: JSONBody[SecretBody]) -> Response[Any]:
        secret = parse_secret_body(data)
        answer = await deps.take_secret(OrderHash.from_hex(order), secret)
        if isinstance(answer, NotTaken):
            return problem(_SECRET_STATUS.get(answer.code, 409), answer.code, answer.detail, hint=answer.hint)
        return Response(TakenBody(state=answer.state.value), status_code=202)

    return [submit_order, list_orders, show_order, hand_over_secret]


def _service_routes(deps: ApiDeps) -> Sequence[HTTPRouteHandler]:
    @get("/health")
    async def show_health() -> Response[HealthBody]:
        components = await deps.check_components()
        healthy = all(component.healthy for component in components.values())
        body = HealthBody(
            status="ok" if healthy else "degraded",
            components={
                name: ComponentBody(
                    status="ok" if component.healthy else "down",
                    detail=component.detail,
                    head_age=component.head_age,
                )
                for name, component in components.items()
            },
        )
        return Response(body, status_code=200 if healthy else 503)

    @get("/ready")
    async def show_ready() -> Response[dict[str, str]]:
        components = await deps.check_components()
        # A silent chain must not take us out of a balancer: secrets are still taken.
        ready = components["database"].healthy
        return Response({"status": "ready" if ready else "not ready"}, status_code=200 if ready else 503)

    @get("/metrics", media_type="text/plain; version=0.0.4; charset=utf-8")
    async def show_metrics() -> bytes:
        return generate_latest()

    @get("/api/v1/resolver")
    async def show_resolver() -> ResolverBody:
        return ResolverBody(
            chains=[_show_chain(spec) for spec in deps.specs.values()],
            pairs=[PairBody(src=src, dst=dst) for src, dst in deps.pairs],
        )

    return [show_health, show_ready, show_metrics, show_resolver]


_SECRET_STATUS = {"WRONG_SECRET": 400}


def _parse_state(text: str | None) -> State | None:
    if text is None:
        return None
    try:
        return State(text)
    except ValueError:
        raise BadInput("BAD_STATE", "there is no such state", hint=", ".join(state.value for state in State)) from None


def _show_chain(spec: ChainSpec) -> ChainBody:
    contracts = spec.contracts
    return ChainBody(
        id=spec.id,
        name=spec.name,
        resolver=str(contracts.resolver),
        factory=str(contracts.factory),
        src_implementation=str(contracts.src_implementation),
        dst_implementation=str(contracts.dst_implementation),
        limit_order_protocol=str(contracts.limit_order_protocol),
        access_token=str(contracts.access_token),
        noop_token=str(contracts.noop_token),
        domain_name=spec.domain_name,
        domain_version=spec.domain_version,
    )
