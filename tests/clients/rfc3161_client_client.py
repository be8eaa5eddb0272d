"""rfc3161-client, which sigstore-python uses."""

from cases import post, read, refuses, tampered, tell
from cryptography import x509
from rfc3161_client import TimestampRequestBuilder, VerifierBuilder, decode_timestamp_response


def verifier(root):
    root = x509.load_pem_x509_certificate(read(root))
    return VerifierBuilder().add_root_certificate(root).build()


def asked(case, data):
    builder = TimestampRequestBuilder().data(data).nonce(nonce=True).cert_request(cert_request=True)
    return post(case["url"], builder.build().as_bytes())


def client(case, data, other_data):
    reply = asked(case, data)
    response = decode_timestamp_response(reply)
    other_response = decode_timestamp_response(asked(case, other_data))
    ours = verifier(case["root"])

    def verifies(wrong):
        return ours.verify_message(decode_timestamp_response(wrong), data)

    if not ours.verify_message(response, data):
        raise ValueError("not verified")
    return (
        response.tst_info.gen_time,
        {
            "other_data": refuses(ours.verify_message, response, other_data),
            "other_request": refuses(ours.verify_message, other_response, data),
            "other_root": refuses(verifier(case["other_root"]).verify_message, response, data),
        }
        | {what: refuses(verifies, wrong) for what, wrong in tampered(reply).items()},
    )


tell(client)
