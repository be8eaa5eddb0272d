"""pyHanko, as it stamps PDF documents."""

import asyncio
import hashlib
import logging

from asn1crypto import cms, pem, x509
from cases import read, refuses, tampered, tell
from pyhanko.sign.timestamps import HTTPTimeStamper
from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
from pyhanko.sign.validation.status import TimestampSignatureStatus
from pyhanko_certvalidator import ValidationContext


def status(token, root, data):
    root = x509.Certificate.load(pem.unarmor(read(root))[2])
    context = ValidationContext(trust_roots=[root], allow_fetching=False)
    imprint = hashlib.sha256(data).digest()
    validated = validate_tst_signed_data(token["content"], context, lambda _algorithm: imprint)
    return TimestampSignatureStatus(**asyncio.run(validated))


def accepted(token, root, data):
    told = status(token, root, data)
    return told.intact and told.valid and told.trusted


def client(case, data, other_data):
    def asked(about):
        stamper = HTTPTimeStamper(case["url"])
        return asyncio.run(stamper.async_timestamp(hashlib.sha256(about).digest(), "sha256"))

    def verifies(wrong):
        return accepted(cms.ContentInfo.load(wrong), case["root"], data)

    token, other_token = asked(data), asked(other_data)
    told = status(token, case["root"], data)
    if not (told.intact and told.valid and told.trusted):
        raise ValueError(f"intact {told.intact}, valid {told.valid}, trusted {told.trusted}")
    return (
        told.timestamp,
        {
            "other_data": refuses(accepted, token, case["root"], other_data),
            "other_request": refuses(accepted, other_token, case["root"], data),
            "other_root": refuses(accepted, token, case["other_root"], data),
        }
        | {what: refuses(verifies, wrong) for what, wrong in tampered(token.dump()).items()},
    )


logging.disable()
tell(client)
