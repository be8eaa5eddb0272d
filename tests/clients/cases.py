"""What the Python clients share: the cases, and how a client's verdict is told."""

import json
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


def tell(client):
    """Runs `client(case, data, other_data)` for each case. It answers the token's time and both
    refusals, or raises when it does not accept the token."""
    with open(sys.argv[1], encoding="utf-8") as file:
        told = json.load(file)
    data, other_data = read(told["data"]), read(told["other_data"])
    for case in told["cases"]:
        line = {"suite": case["suite"], "accepts": False, "why": ""}
        try:
            gen_time, other_data_refused, other_root_refused = client(case, data, other_data)
            line |= {
                "accepts": True,
                "gen_time": str(gen_time),
                "refuses_other_data": other_data_refused,
                "refuses_other_root": other_root_refused,
            }
        except Exception as error:
            line["why"] = f"{type(error).__name__}: {error}"
        print(json.dumps(line), flush=True)
