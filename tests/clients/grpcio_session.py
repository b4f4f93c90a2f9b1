"""Gets sessions from sfvaultd with grpcio as people install it: no channel option, bindings from its own generator.

Standard input is the scene's JSON line; the bindings are on PYTHONPATH. Exits non-zero, with a traceback, if
anything is not as expected.
"""

import json
import sys

import grpc
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from sfvault.v1 import sessions_pb2, sessions_pb2_grpc

CROWD = 100
PATIENCE = 30


def main():
    scene = json.loads(sys.stdin.readline())
    # Two ways to write the same address.
    for prefix in ("unix:", "unix://"):
        with grpc.insecure_channel(prefix + scene["socket"]) as channel:
            check(channel, scene["session"])


def check(channel, session):
    sessions = sessions_pb2_grpc.SessionsStub(channel)
    # The second call, and every later one, refers to the headers of the first.
    for _ in range(3):
        expect_session(get(sessions, "prod"), session)

    wanted = sessions_pb2.GetSessionRequest(record="prod")
    crowd = [sessions.GetSession.future(wanted, timeout=PATIENCE) for _ in range(CROWD)]
    for call in crowd:
        expect_session(call.result(), session)

    try:
        get(sessions, "absent")
    except grpc.RpcError as failed:
        expect(failed.code(), grpc.StatusCode.NOT_FOUND)
        expect(reasons(failed), [("RECORD_NOT_FOUND", "sfvault.v1")])
    else:
        raise AssertionError("a record that is absent gave a session")

    health = health_pb2_grpc.HealthStub(channel)
    asked = health_pb2.HealthCheckRequest(service="sfvault.v1.Sessions")
    expect(health.Check(asked, timeout=PATIENCE).status, health_pb2.HealthCheckResponse.SERVING)


def get(sessions, record):
    return sessions.GetSession(sessions_pb2.GetSessionRequest(record=record), timeout=PATIENCE)


def reasons(failed):
    found = []
    for detail in rpc_status.from_call(failed).details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            found.append((info.reason, info.domain))
    return found


def expect_session(response, session):
    for field in ("session_id", "instance_url", "org_id", "generation"):
        expect(getattr(response, field), session[field])


def expect(actual, expected):
    if actual != expected:
        raise AssertionError(f"expected {expected!r}, got {actual!r}")


if __name__ == "__main__":
    main()
