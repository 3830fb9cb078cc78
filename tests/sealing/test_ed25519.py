"""The verifier's own Ed25519, held against RFC 8032 and against OpenSSL through `cryptography`."""

import random

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from send_returns.sealing.verify_pack import NEUTRAL, ORDER, P, _add, _encoded, _point, is_ed25519

# RFC 8032, 7.1: secret, public, message, signature.
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]


def _is_openssls(key: bytes, content: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, content)
    except (InvalidSignature, ValueError):
        return False
    return True


def _signed(seed: random.Random) -> tuple[bytes, bytes, bytes]:
    key = Ed25519PrivateKey.from_private_bytes(seed.randbytes(32))
    content = seed.randbytes(seed.randrange(200))
    return key.public_key().public_bytes_raw(), content, key.sign(content)


@pytest.mark.parametrize(("secret", "public", "content", "signature"), VECTORS)
def test_the_vectors_of_the_rfc(secret: str, public: str, content: str, signature: str) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret))
    assert key.public_key().public_bytes_raw().hex() == public
    assert is_ed25519(bytes.fromhex(public), bytes.fromhex(content), bytes.fromhex(signature))
    assert not is_ed25519(bytes.fromhex(public), bytes.fromhex(content) + b"x", bytes.fromhex(signature))


def test_it_agrees_with_openssl_on_random_and_damaged_input() -> None:
    seed = random.Random(8032)
    agreed = {True: 0, False: 0}
    for _ in range(150):
        key, content, signature = _signed(seed)
        flipped = bytearray(signature)
        flipped[seed.randrange(64)] ^= 1 << seed.randrange(8)
        damaged = bytearray(key)
        damaged[seed.randrange(32)] ^= 1 << seed.randrange(8)
        for case in (
            (key, content, signature),
            (key, content + b"\0", signature),
            (key, content, bytes(flipped)),
            (bytes(damaged), content, signature),
            (seed.randbytes(32), content, signature),
            (key, content, seed.randbytes(64)),
        ):
            said = is_ed25519(*case)
            assert said == _is_openssls(*case)
            agreed[said] += 1
    assert agreed == {True: 150, False: 750}


def test_a_signature_is_not_accepted_in_a_second_form() -> None:
    seed = random.Random(2)
    for _ in range(300):
        key, content, signature = _signed(seed)
        s = int.from_bytes(signature[32:], "little")
        for times in range(1, 16):
            if s + times * ORDER < 2**256:
                other = signature[:32] + (s + times * ORDER).to_bytes(32, "little")
                assert not is_ed25519(key, content, other)
        for length in (0, 1, 32, 63):
            assert not is_ed25519(key, content, signature[:length])
        assert not is_ed25519(key, content, signature + b"\0")
        assert not is_ed25519(key[:31], content, signature)
        assert not is_ed25519(key + b"\0", content, signature)


@pytest.mark.parametrize("encoded", SMALL_ORDER)
def test_a_key_of_small_order_signs_nothing(encoded: str) -> None:
    key = bytes.fromhex(encoded)
    point = _point(key)
    if point is not None:
        eightfold = point
        for _ in range(7):
            eightfold = _add(eightfold, point)
        assert _encoded(eightfold) == _encoded(NEUTRAL)
    # With R = 0 B and S = 0, some of these fit the equation for any message whose h is divisible by their order.
    forged = [bytes.fromhex(r) + bytes(32) for r in SMALL_ORDER]
    messages = [bytes([number]) for number in range(32)]
    assert not [1 for content in messages for signature in forged if is_ed25519(key, content, signature)]


def test_openssl_does_accept_small_order_so_the_test_above_can_fail() -> None:
    forged = [bytes.fromhex(r) + bytes(32) for r in SMALL_ORDER]
    assert any(
        _is_openssls(bytes.fromhex(key), bytes([number]), signature)
        for key in SMALL_ORDER
        for number in range(32)
        for signature in forged
    )


def test_a_point_has_one_form() -> None:
    for y in range(19):
        assert _point((P + y).to_bytes(32, "little")) is None
        assert _point((P + y | 1 << 255).to_bytes(32, "little")) is None
    assert _point((1 | 1 << 255).to_bytes(32, "little")) is None
    seed = random.Random(3)
    for _ in range(200):
        key, _, _ = _signed(seed)
        point = _point(key)
        assert point is not None
        assert _encoded(point) == key
