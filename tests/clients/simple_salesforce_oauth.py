"""Logs in to the simulator with simple-salesforce as people install it, by both flows that need no password.

Standard input is the simulator's JSON line. HTTPS_PROXY and REQUESTS_CA_BUNDLE lead the client there.
Exits non-zero, with a traceback, if anything is not as expected.
"""

import json
import sys
import urllib.request
import warnings

from simple_salesforce import Salesforce, SalesforceAuthenticationFailed


def main():
    # To a refusal the client adds the advice to open a browser; here refusals are wanted.
    warnings.simplefilter("ignore", UserWarning)
    simulator = json.loads(sys.stdin.readline())
    my_domain = simulator["my_domain_url"].removeprefix("https://")
    host = my_domain.removesuffix(".salesforce.com")
    app = {
        "consumer_key": simulator["consumer_key"],
        "consumer_secret": simulator["consumer_secret"],
    }

    sf = Salesforce(**app, domain=host)
    expect(sf.sf_instance, my_domain)
    expect(sf.query("SELECT Id FROM Account")["totalSize"], 5)
    expect(refusal(Salesforce, **{**app, "consumer_secret": "wrong"}, domain=host), "invalid_client")
    expect(
        flows(simulator)["client-credentials"], {"accepted": 1, "rejected": 1, "total": 2}
    )

    bearer = {
        "username": simulator["username"],
        "consumer_key": simulator["consumer_key"],
        "privatekey_file": simulator["private_key_file"],
    }
    by_jwt = Salesforce(**bearer)
    # Both flows of one app lead to one session.
    expect(by_jwt.session_id, sf.session_id)
    expect(len(by_jwt.query_all("SELECT Id FROM Account")["records"]), 5)
    expect(refusal(Salesforce, **bearer, domain="test"), "invalid_grant")

    control(simulator, "/app", {"admin_approved": []})
    expect(refusal(Salesforce, **app, domain=host), "invalid_app_access")
    expect(refusal(Salesforce, **bearer), "invalid_grant")
    control(simulator, "/app", {"admin_approved": [simulator["username"]]})

    # A token in JWT format is as good to REST.
    control(simulator, "/app", {"jwt_tokens": True})
    sf = Salesforce(**app, domain=host)
    expect(sf.session_id[:3], "eyJ")
    expect(sf.query("SELECT Id FROM Account")["totalSize"], 5)
    control(simulator, "/app", {"jwt_tokens": False})

    expect(control(simulator, "/unexpected"), [])


def refusal(call, **arguments):
    try:
        call(**arguments)
    except SalesforceAuthenticationFailed as failed:
        return failed.code
    raise AssertionError("a login that should have failed did not")


def flows(simulator):
    return control(simulator, "/flows")[simulator["username"]]


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
