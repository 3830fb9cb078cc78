"""Who is who: every source record of a person gets one `person_id`, with its method and an explanation."""

from send_returns.identity.linkage import basis, link

__all__ = ["basis", "link"]
