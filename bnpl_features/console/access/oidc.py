"""Signing in with an OpenID Connect provider: the code flow with PKCE, by Authlib.

The provider's claims say the name and the groups; a group gives the role, the highest where there are several.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.starlette_client import OAuth, StarletteOAuth2App
from starlette.requests import Request
from starlette.responses import Response

from bnpl_features.console.access.roles import Role, User
from bnpl_features.errors import BnplFeaturesError, SettingsError
from bnpl_features.sections import ConsoleSettings

CALLBACK = "/sign-in/callback"
_SCOPES = "openid email profile"
_SECONDS = 10.0


class SignInRefused(BnplFeaturesError):
    """The provider did not vouch for somebody, or for somebody without a role; the message is for them to read."""


class Provider:
    def __init__(self, settings: ConsoleSettings, public_url: str) -> None:
        self._settings = settings
        self._callback = public_url + CALLBACK
        issuer = settings.oidc_issuer.rstrip("/")
        if not settings.oidc_client_id:
            raise SettingsError("console.oidc_issuer is set, but console.oidc_client_id is not; set both")
        self._client: StarletteOAuth2App = OAuth().register(
            "provider",
            client_id=settings.oidc_client_id,
            client_secret=settings.oidc_client_secret or None,
            server_metadata_url=f"{issuer}/.well-known/openid-configuration",
            client_kwargs={
                "scope": f"{_SCOPES} {settings.oidc_scope}".strip(),
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": "client_secret_basic" if settings.oidc_client_secret else "none",
                "timeout": _SECONDS,
            },
        )

    async def redirect(self, request: Request) -> Response:
        """To the provider; state, nonce and the PKCE verifier stay in the session. Raises `SignInRefused`."""
        try:
            response: Response = await self._client.authorize_redirect(request, self._callback)
        except Exception as error:
            raise self._unreachable(error) from error
        return response

    async def user(self, request: Request) -> User:
        """Whom the provider sent back with its code; raises `SignInRefused`."""
        try:
            token = await self._client.authorize_access_token(request)
        except AuthlibBaseError as error:
            raise SignInRefused(f"The provider did not sign you in ({error.error}). Try again.") from error
        except Exception as error:
            raise self._unreachable(error) from error
        return self._user(token.get("userinfo") or {})

    def _user(self, claims: Mapping[str, Any]) -> User:
        settings = self._settings
        name = str(claims.get(settings.oidc_name_claim) or claims.get("sub") or "")
        given = claims.get(settings.oidc_roles_claim) or ()
        groups = {given} if isinstance(given, str) else set(given)
        for group, role in (
            (settings.oidc_admins, Role.ADMIN),
            (settings.oidc_operators, Role.OPERATOR),
            (settings.oidc_viewers, Role.VIEWER),
        ):
            if name and group and group in groups:
                return User(name, role)
        raise SignInRefused(f"{name or 'This account'} has none of the groups that may use the console. Ask for one.")

    def _unreachable(self, error: Exception) -> SignInRefused:
        return SignInRefused(
            f"The identity provider {self._settings.oidc_issuer} cannot be used ({type(error).__name__}: {error}). "
            "Try again; see console.oidc_issuer."
        )
