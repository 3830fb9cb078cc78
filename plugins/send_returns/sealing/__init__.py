"""Sealing: how a pack is signed, encrypted to those registered to receive it, delivered, and checked by who gets it."""
