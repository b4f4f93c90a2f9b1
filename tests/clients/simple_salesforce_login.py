"""Logs in to the simulator with simple-salesforce as people install it, and reads a paged query.

Standard input is the simulator's JSON line. HTTPS_PROXY and REQUESTS_CA_BUNDLE lead the client there:
its login host is fixed. Exits non-zero, with a traceback, if anything is not as expected.
"""

import json
import sys
import urllib.request

from simple_salesforce import Salesforce, SalesforceAuthenticationFailed

ACCOUNTS = [
    ("001xx000003DGb0AAG", "Ærø Færgefart A/S"),
    ("001xx000003DGb1AAG", 'Burlington "Textiles" & Co'),
    ("001xx000003DGb2AAG", "株式会社サンプル"),
    ("001xx000003DGb3AAG", "<Dickenson> plc"),
    ("001xx000003DGb4AAG", "Zoë's Café\u2028und mehr"),
]
SOQL = "SELECT Id, Name FROM Account"


def main():
    simulator = json.loads(sys.stdin.readline())
    credentials = {
        "username": simulator["username"],
        "password": simulator["password"],
        "security_token": simulator["security_token"],
    }

    sf = Salesforce(**credentials)
    host = simulator["instance_url"].removeprefix("https://")
    expect(sf.sf_instance, host)
    expect(accounts(sf.query_all(SOQL)["records"]), ACCOUNTS)
    expect(accounts(sf.query_all_iter(SOQL)), ACCOUNTS)

    first = sf.query(SOQL)
    expect((first["totalSize"], first["done"], len(first["records"])), (5, False, 2))
    second = sf.query_more(first["nextRecordsUrl"], identifier_is_url=True)
    expect(len(second["records"]), 2)

    # The second login finds the session of the first alive, and is given the same.
    again = Salesforce(**credentials)
    expect(again.session_id, sf.session_id)
    expect(counts(simulator), {"accepted": 2, "rejected": 0, "total": 2})

    # The client answers a dead session with a login of its own.
    control(simulator, "/expire-sessions", {"username": simulator["username"]})
    expect(accounts(sf.query_all(SOQL)["records"]), ACCOUNTS)
    expect(counts(simulator), {"accepted": 3, "rejected": 0, "total": 3})

    try:
        Salesforce(**{**credentials, "security_token": "stale"})
    except SalesforceAuthenticationFailed as failed:
        expect(failed.code, "INVALID_LOGIN")
    else:
        raise AssertionError("a stale security token was accepted")
    expect(counts(simulator), {"accepted": 3, "rejected": 1, "total": 4})

    expect(control(simulator, "/unexpected"), [])


def accounts(records):
    return [(record["Id"], record["Name"]) for record in records]


def counts(simulator):
    return control(simulator, "/counts")[simulator["username"]]


def control(simulator, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(simulator["control_url"] + path, data)
    # The proxy of the environment is for Salesforce only.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as response:
        return json.load(response)


def expect(actual, expected):
    if actual != expected:
        raise AssertionError(f"expected {expected!r}, got {actual!r}")


if __name__ == "__main__":
    main()
