"""From a run that passed its gate to a published release: drafted, signed by both partners, sealed, put out."""

from send_returns.publication.asking import Ask, for_signature, sign
from send_returns.publication.drafting import draft
from send_returns.publication.publishing import publish

__all__ = ["Ask", "draft", "for_signature", "publish", "sign"]
