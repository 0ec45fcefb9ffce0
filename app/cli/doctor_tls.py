"""What `antiphon doctor` says of the server's certificate."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from app.settings import Settings

DAY_SECONDS = 86_400
RENEWAL_DAYS = 14
"""A certificate that ends in fewer days was not renewed in time: programs such as certbot renew earlier."""


def certificate_verdict(settings: Settings) -> tuple[Literal["ok", "note", "wrong"], str]:
    """The verdict and its sentence."""
    from app.api.tls import CertificateUnusable, certificate_of

    try:
        used = certificate_of(settings.server)
    except CertificateUnusable as wrong:
        return "wrong", str(wrong)
    if used is None:
        return "ok", "none is set; the server speaks plain HTTP"
    days = (used.expires - time.time()) / DAY_SECONDS
    if days < 0:
        return "wrong", f"expired {-days:.0f} days ago; replace the file, the server reads it again"
    if days < RENEWAL_DAYS:
        return "note", f"expires in {days:.0f} days; replace the file, the server reads it again"
    return "ok", f"valid for {days:.0f} days more"
