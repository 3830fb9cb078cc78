"""Releases: what was put forward, who signed it, what was published; and the audit of all that happened.

The rules are the database's (`warehouse/migrations/0008_releases.sql`): these modules ask it, and say in words what it
refuses. Each function acts as the role that may. It is a transaction of its own, or a part of the one that the caller
has opened on the connection.
"""
