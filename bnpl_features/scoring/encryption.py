"""TLS of the prediction service: the certificate that it shows, and the authority whose certificates callers need."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnpl_features.errors import SettingsError


@dataclass(frozen=True)
class Encryption:
    """Files in PEM format; `client_ca_file` None asks callers for no certificate."""

    certificate_file: Path
    key_file: Path
    client_ca_file: Path | None = None

    def check(self) -> None:
        """Raises `SettingsError` where the files cannot be used, before anything listens."""
        try:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.client_ca_file)
            context.load_cert_chain(self.certificate_file, self.key_file)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"the certificate of the service cannot be used ({error}); correct scoring.certificate_file "
                f"{self.certificate_file}, scoring.key_file and scoring.client_ca_file"
            ) from error

    def options(self) -> dict[str, Any]:
        """As uvicorn takes them."""
        return {
            "ssl_certfile": str(self.certificate_file),
            "ssl_keyfile": str(self.key_file),
            "ssl_ca_certs": str(self.client_ca_file) if self.client_ca_file else None,
            "ssl_cert_reqs": ssl.CERT_REQUIRED if self.client_ca_file else ssl.CERT_NONE,
        }


def encryption_of(certificate_file: str, key_file: str, client_ca_file: str) -> Encryption | None:
    """None where no file is named; raises `SettingsError` where only some are."""
    if not (certificate_file or key_file or client_ca_file):
        return None
    if not (certificate_file and key_file):
        raise SettingsError(
            "scoring.certificate_file and scoring.key_file belong together, and scoring.client_ca_file needs them; set "
            "both, or none"
        )
    return Encryption(Path(certificate_file), Path(key_file), Path(client_ca_file) if client_ca_file else None)
