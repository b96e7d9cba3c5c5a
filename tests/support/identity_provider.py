"""An identity provider on loopback, and the keys with which it signs tokens."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.live_server import live_server

RSA = rsa.generate_private_key(65537, 2048)
OTHER_RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())


def as_jwk(key: Any, kid: str, **more: str) -> dict[str, Any]:
    algorithm: Any = (
        jwt.algorithms.ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else jwt.algorithms.RSAAlgorithm
    )
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", **more}


@dataclass
class Provider:
    """An identity provider: the keys that it publishes, and how often they were fetched."""

    keys: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    fetched: int = 0
    url: str = ""

    async def answer(self, _request: Request) -> Response:
        self.fetched += 1
        return JSONResponse({"keys": self.keys}, self.status)


@contextmanager
def identity_provider() -> Iterator[Provider]:
    """Run a provider that publishes a key for RS256, one for ES256, and one for encryption."""
    provider = Provider([as_jwk(RSA, "r1", alg="RS256"), as_jwk(EC, "e1"), as_jwk(RSA, "enc", use="enc")])
    with live_server(Starlette(routes=[Route("/jwks", provider.answer)])) as url:
        provider.url = f"{url}/jwks"
        yield provider
