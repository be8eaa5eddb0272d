"""rfc3161ng. It knows no roots: it is given the TSU's certificate."""

import rfc3161ng
from cases import read, refuses, tell


def client(case, data, other_data):
    ours = rfc3161ng.RemoteTimestamper(
        case["url"], certificate=read(case["certificate"]), hashname="sha256"
    )
    token = ours.timestamp(data=data)
    if not ours.check(token, data=data):
        raise ValueError("not verified")
    other = rfc3161ng.RemoteTimestamper(case["url"], certificate=read(case["other_certificate"]))
    return (
        rfc3161ng.get_timestamp(token),
        refuses(lambda: ours.check(token, data=other_data)),
        refuses(lambda: other.check(token, data=data)),
    )


tell(client)
