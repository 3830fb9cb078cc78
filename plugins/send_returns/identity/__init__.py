"""Who is who: every source record of a person gets one `person_id`, with its method and an explanation."""

from send_returns.identity.exact import link

__all__ = ["link"]
