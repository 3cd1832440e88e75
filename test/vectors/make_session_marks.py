"""Makes session-marks.json, with PyJWT and cryptography: code that has nothing in common with ours.

    python3 -m venv venv && venv/bin/pip install pyjwt==2.15.1 cryptography==50.0.2
    venv/bin/python test/vectors/make_session_marks.py > test/vectors/session-marks.json

The keys are fixed, for tests only. ES256 is randomized, so its signatures differ each time.
"""

import base64
import hashlib
import hmac
import json

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ISSUED_AT = 1_790_000_000
AUDIENCE = "account-service"
PROCEDURE = "/example.account.v1.AccountService/ChangePassword"
OPERATION = "change_password"
CONTEXT = "CgNzLTESA3UtMToCREU="


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return b64(value.to_bytes(32, "big"))


def ed25519_key(seed: bytes, kid: str):
    private = ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed).digest())
    x = b64(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "alg": "EdDSA", "use": "sig"}
    return private, {**jwk, "d": b64(private.private_bytes_raw())}, jwk


def p256_key(seed: bytes, kid: str, curve=ec.SECP256R1()):
    secret = int.from_bytes(hashlib.sha256(seed).digest(), "big") >> 1
    private = ec.derive_private_key(secret, curve)
    numbers = private.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-256", "x": number(numbers.x), "y": number(numbers.y), "kid": kid, "alg": "ES256", "use": "sig"}
    return private, {**jwk, "d": number(secret)}, jwk


def claims(**changes) -> dict:
    given = {
        "aud": AUDIENCE,
        "iat": ISSUED_AT,
        "jti": "3f1c1d0a-6f4e-4a57-8a6e-0d5f3a1b2c4d",
        "procedure": PROCEDURE,
        "operation": OPERATION,
        "context_sha256": b64(hashlib.sha256(CONTEXT.encode()).digest()),
        **changes,
    }
    return {name: value for name, value in given.items() if value is not None}


ed_private, ed_jwk, ed_public = ed25519_key(b"ed25519", "gateway-ed25519")
ec_private, ec_jwk, ec_public = p256_key(b"p256", "gateway-p256")
other_private, _, _ = ed25519_key(b"other", "gateway-ed25519")
ALGORITHMS = {"EdDSA": (ed_private, "gateway-ed25519"), "ES256": (ec_private, "gateway-p256")}


def sign(payload: dict, alg: str = "EdDSA", key=None, kid=None, typ: str | None = "session-mark+jwt") -> str:
    private, key_id = ALGORITHMS[alg]
    headers = {"kid": kid or key_id, "typ": typ}
    return jwt.encode(payload, key or private, algorithm=alg, headers=headers)


def by_hand(header: dict, payload: dict, signature: bytes) -> str:
    parts = [b64(json.dumps(part).encode()) for part in (header, payload)]
    return ".".join([*parts, b64(signature)])


def hs256_with(public_bytes: bytes) -> str:
    header = {"alg": "HS256", "kid": "gateway-ed25519", "typ": "session-mark+jwt"}
    unsigned = by_hand(header, claims(), b"").rstrip(".")
    return f"{unsigned}.{b64(hmac.new(public_bytes, unsigned.encode(), hashlib.sha256).digest())}"


vectors = []


def vector(name: str, signature: str, problem: str | None = None, at: int = ISSUED_AT + 5, **mark) -> None:
    given = {"context": CONTEXT, "operation": OPERATION, "procedure": PROCEDURE, **mark}
    given = {key: value for key, value in given.items() if value is not None}
    vectors.append({"name": name, "at": at, "mark": given, "signature": signature, "problem": problem})


for alg in ALGORITHMS:
    vector(f"{alg}", sign(claims(), alg))
    vector(f"{alg}, no operation", sign(claims(operation=None), alg), operation=None)
    vector(f"{alg}, several audiences", sign(claims(aud=["other", AUDIENCE]), alg))
    vector(f"{alg}, at the end of its life", sign(claims(), alg), at=ISSUED_AT + 70)
    vector(f"{alg}, from a clock that is ahead", sign(claims(), alg), at=ISSUED_AT - 10)
    vector(f"{alg}, expired", sign(claims(), alg), "signature_expired", at=ISSUED_AT + 71)
    vector(f"{alg}, from the future", sign(claims(), alg), "signature_invalid", at=ISSUED_AT - 11)
    vector(f"{alg}, another context", sign(claims(), alg), "signature_invalid", context="CgNzLTI=")
    vector(f"{alg}, another operation", sign(claims(), alg), "signature_invalid", operation="login")
    vector(f"{alg}, operation taken away", sign(claims(), alg), "signature_invalid", operation=None)
    vector(f"{alg}, operation added", sign(claims(operation=None), alg), "signature_invalid")
    vector(f"{alg}, another method", sign(claims(), alg), "signature_invalid", procedure=PROCEDURE.replace("ChangePassword", "Login"))
    vector(f"{alg}, another audience", sign(claims(aud="mail-service"), alg), "signature_invalid")
    vector(f"{alg}, unknown key", sign(claims(), alg, kid="gateway-2"), "key_unknown")
    vector(f"{alg}, another type of token", sign(claims(), alg, typ="JWT"), "signature_invalid")
    vector(f"{alg}, no type", sign(claims(), alg, typ=None), "signature_invalid")
    for claim in ("aud", "iat", "jti", "procedure", "context_sha256"):
        vector(f"{alg}, without {claim}", sign(claims(**{claim: None}), alg), "signature_invalid")

vector("another key under a known id", sign(claims(), key=other_private), "signature_invalid")
vector("an own exp that has passed", sign(claims(exp=ISSUED_AT - 30)), "signature_expired")
vector("ES256 with the id of the Ed25519 key", sign(claims(), "ES256", kid="gateway-ed25519"), "signature_invalid")
vector("alg none", by_hand({"alg": "none", "kid": "gateway-ed25519", "typ": "session-mark+jwt"}, claims(), b""), "signature_invalid")
vector("HS256 with the public key, raw, as secret", hs256_with(base64.urlsafe_b64decode(ed_public["x"] + "==")), "signature_invalid")
vector("HS256 with the public key, as JWK, as secret", hs256_with(json.dumps(ed_public).encode()), "signature_invalid")
pem = ed_private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
vector("HS256 with the public key, as PEM, as secret", hs256_with(pem), "signature_invalid")
good = sign(claims())
head, body, tail = good.split(".")
vector("the payload changed", ".".join([head, b64(json.dumps(claims(jti="another")).encode()), tail]), "signature_invalid")
vector("the signature cut short", good[:-8], "signature_invalid")
vector("two signatures, joined", f"{good}, {good}", "signature_invalid")
vector("no signature part", f"{head}.{body}", "signature_invalid")
vector("no JWS", "true", "signature_invalid")
vector("an unknown critical header", jwt.encode(claims(), ed_private, algorithm="EdDSA", headers={"kid": "gateway-ed25519", "typ": "session-mark+jwt", "crit": ["x"], "x": 1}), "signature_invalid")
vector("a key of its own in the header", jwt.encode(claims(), other_private, algorithm="EdDSA", headers={"kid": "gateway-9", "typ": "session-mark+jwt", "jwk": ed_public}), "key_unknown")

print(
    json.dumps(
        {
            "audience": AUDIENCE,
            "maxAgeMs": 60_000,
            "clockSkewMs": 10_000,
            "publicKeys": [ed_public, ec_public],
            "privateKeys": [ed_jwk, ec_jwk],
            "vectors": vectors,
        },
        indent=2,
    )
)
