"""The same scoring endpoint in several frameworks, run by `benchmarks.frameworks` in an environment of its own.

40 us of work stand for lookup and score; reading the purchase and writing the answer are each framework's own way, or
msgspec's where it leaves that to the application.
"""

import os
import sys
import time
from datetime import datetime
from typing import Any

import msgspec

_WORK_SECONDS = 40e-6
_HEADERS = [(b"content-type", b"application/json")]


class Purchase(msgspec.Struct, forbid_unknown_fields=True):
    transaction_id: str
    customer_id: str
    transaction_timestamp: datetime
    amount: float
    product_category: str
    product_risk_category: str
    device_type: str
    device_is_trusted: bool
    risk_score: float
    purchase_context: str
    checkout_speed: str
    installment_count: int
    product_price: float | None = None
    payment_provider: str | None = None
    payment_credit_limit: float | None = None
    time_on_site_seconds: int | None = None
    price_comparison_time: int | None = None
    cart_abandonment_count: int | None = None


class Answer(msgspec.Struct):
    request_id: str
    probability: float
    decision: str


decode, encode = msgspec.json.Decoder(Purchase).decode, msgspec.json.Encoder().encode


def work() -> None:
    until = time.perf_counter() + _WORK_SECONDS
    while time.perf_counter() < until:
        pass


def answer(body: bytes) -> bytes:
    purchase = decode(body)
    work()
    return encode(Answer(purchase.transaction_id, 0.1, "approve"))


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while (await receive())["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = answer((await receive())["body"])
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, length]})
    await send({"type": "http.response.body", "body": body})


async def rsgi(scope: Any, protocol: Any) -> None:
    protocol.response_bytes(200, [("content-type", "application/json")], answer(await protocol()))


def starlette() -> Any:
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    async def score(request: Any) -> Any:
        return Response(answer(await request.body()), media_type="application/json")

    return Starlette(routes=[Route("/v1/score", score, methods=["POST"])])


def fastapi() -> Any:
    from fastapi import FastAPI
    from pydantic import create_model

    fields = {one.name: (one.type, ... if one.required else None) for one in msgspec.structs.fields(Purchase)}
    purchase_type = create_model("Purchase", **fields)
    answer_type = create_model("Answer", request_id=(str, ...), probability=(float, ...), decision=(str, ...))
    app = FastAPI()

    async def score(purchase: Any) -> Any:
        work()
        return answer_type(request_id=purchase.transaction_id, probability=0.1, decision="approve")

    score.__annotations__ = {"purchase": purchase_type, "return": answer_type}
    app.post("/v1/score")(score)
    return app


def litestar() -> Any:
    from litestar import Litestar, post

    async def score(data: Purchase) -> Answer:
        work()
        return Answer(data.transaction_id, 0.1, "approve")

    return Litestar([post("/v1/score", status_code=200)(score)], openapi_config=None)


def blacksheep() -> Any:
    from blacksheep import Application, Content, Request, Response

    app = Application()

    async def score(request: Any) -> Any:
        return Response(200, content=Content(b"application/json", answer(await request.read())))

    score.__annotations__ = {"request": Request, "return": Response}
    app.router.add_post("/v1/score", score)
    return app


def falcon() -> Any:
    import falcon.asgi

    class Score:
        async def on_post(self, request: Any, response: Any) -> None:
            response.data = answer(await request.stream.read())
            response.content_type = "application/json"

    app = falcon.asgi.App()
    app.add_route("/v1/score", Score())
    return app


def robyn(port: int) -> None:
    from robyn import Response, Robyn

    app = Robyn(__file__)

    @app.post("/v1/score")
    async def score(request: Any) -> Any:
        body = request.body
        body = body if isinstance(body, bytes | bytearray) else body.encode()
        return Response(200, {"content-type": "application/json"}, answer(body))

    app.start(host="127.0.0.1", port=port)


_KIND = os.environ.get("FRAMEWORK", "asgi")
app = asgi if _KIND == "asgi" else globals()[_KIND]() if _KIND in globals() and _KIND != "robyn" else None

if __name__ == "__main__":
    robyn(int(sys.argv[1]))
