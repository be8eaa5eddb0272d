"""What the Python clients share: the cases, and how a client's verdict is told."""

import json
import re
import sys
import urllib.request


def post(url, query):
    request = urllib.request.Request(
        url, data=query, headers={"Content-Type": "application/timestamp-query"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return response.read()


def read(path):
    with open(path, "rb") as file:
        return file.read()


def refuses(verify, *arguments):
    """Whether `verify` raises or answers False."""
    try:
        return not verify(*arguments)
    except Exception:
        return True


def tampered(token):
    """A token or a response with another time, and with another signature."""
    time = re.search(rb"\x18.20\d{12}", token, re.DOTALL).end() - 1
    other_time = token[:time] + bytes([token[time] ^ 1]) + token[time + 1 :]
    return {"other_time": other_time, "other_signature": token[:-1] + bytes([token[-1] ^ 1])}


def tell(client):
    """Runs `client(case, data, other_data)` for each case. It answers the token's time and what it
    refuses, or raises when it does not accept the token."""
    with open(sys.argv[1], encoding="utf-8") as file:
        told = json.load(file)
    data, other_data = read(told["data"]), read(told["other_data"])
    for case in told["cases"]:
        line = {"suite": case["suite"], "accepts": False, "why": ""}
        try:
            gen_time, refused = client(case, data, other_data)
            line |= {
                "accepts": True,
                "gen_time": str(gen_time),
                "refuses": refused,
            }
        except Exception as error:
            line["why"] = f"{type(error).__name__}: {error}"
        print(json.dumps(line), flush=True)
