"""rfc3161-client, which sigstore-python uses."""

from cases import post, read, refuses, tell
from cryptography import x509
from rfc3161_client import TimestampRequestBuilder, VerifierBuilder, decode_timestamp_response


def verifier(root):
    root = x509.load_pem_x509_certificate(read(root))
    return VerifierBuilder().add_root_certificate(root).build()


def client(case, data, other_data):
    builder = TimestampRequestBuilder().data(data).nonce(nonce=True).cert_request(cert_request=True)
    response = decode_timestamp_response(post(case["url"], builder.build().as_bytes()))
    ours = verifier(case["root"])
    if not ours.verify_message(response, data):
        raise ValueError("not verified")
    return (
        response.tst_info.gen_time,
        refuses(ours.verify_message, response, other_data),
        refuses(verifier(case["other_root"]).verify_message, response, data),
    )


tell(client)
