"""rfc3161ng. It knows no roots: it is given the TSU's certificate."""

import rfc3161ng
from cases import read, refuses, tampered, tell


def client(case, data, other_data):
    ours = rfc3161ng.RemoteTimestamper(
        case["url"], certificate=read(case["certificate"]), hashname="sha256"
    )
    token, other_token = ours.timestamp(data=data), ours.timestamp(data=other_data)
    if not ours.check(token, data=data):
        raise ValueError("not verified")
    other = rfc3161ng.RemoteTimestamper(
        case["url"], certificate=read(case["other_certificate"]), hashname="sha256"
    )
    return (
        rfc3161ng.get_timestamp(token),
        {
            "other_data": refuses(lambda: ours.check(token, data=other_data)),
            "other_request": refuses(lambda: ours.check(other_token, data=data)),
            "other_root": refuses(lambda: other.check(token, data=data)),
        }
        | {
            what: refuses(ours.check, wrong, data)
            for what, wrong in tampered(token).items()
        },
    )


tell(client)
