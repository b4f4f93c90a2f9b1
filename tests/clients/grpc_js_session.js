// Gets sessions from sfvaultd with @grpc/grpc-js as people install it, with no channel option.
//
// Standard input is the scene's JSON line, the argument is the folder of the .proto files. Exits non-zero, with a
// stack trace, if anything is not as expected.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const grpc = require("@grpc/grpc-js");
const protoLoader = require("@grpc/proto-loader");
const protobuf = require("protobufjs");

const CROWD = 100;
const PATIENCE_MS = 30_000;

// The parts that are needed of grpc.health.v1 and of google.rpc, where `Any` is spelt out.
const HEALTH = `
  syntax = "proto3"; package grpc.health.v1;
  message HealthCheckRequest { string service = 1; }
  message HealthCheckResponse { enum ServingStatus { UNKNOWN = 0; SERVING = 1; } ServingStatus status = 1; }
  service Health { rpc Check(HealthCheckRequest) returns (HealthCheckResponse); }`;
const STATUS = `
  syntax = "proto3"; package google.rpc;
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message ErrorInfo { string reason = 1; string domain = 2; }`;

async function main() {
  const scene = JSON.parse(fs.readFileSync(0, "utf8"));
  const options = { keepCase: true, longs: Number, enums: String, includeDirs: [process.argv[2]] };
  const { sfvault } = grpc.loadPackageDefinition(protoLoader.loadSync("sfvault/v1/sessions.proto", options));
  const health = grpc.loadPackageDefinition(
    protoLoader.fromJSON(protobuf.parse(HEALTH).root.toJSON(), options),
  ).grpc.health.v1;
  // Two ways to write the same address.
  for (const prefix of ["unix:", "unix://"]) {
    const address = prefix + scene.socket;
    await checkSessions(new sfvault.v1.Sessions(address, grpc.credentials.createInsecure()), scene.session);
    await checkHealth(new health.Health(address, grpc.credentials.createInsecure()));
  }
}

async function checkSessions(sessions, session) {
  const get = (record) => call(sessions, "GetSession", { record });
  // The second call, and every later one, refers to the headers of the first.
  for (let i = 0; i < 3; i++) {
    expectSession(await get("prod"), session);
  }
  for (const response of await Promise.all(Array.from({ length: CROWD }, () => get("prod")))) {
    expectSession(response, session);
  }
  await assert.rejects(get("absent"), (failed) => {
    assert.equal(failed.code, grpc.status.NOT_FOUND);
    assert.deepEqual(reasons(failed), [{ reason: "RECORD_NOT_FOUND", domain: "sfvault.v1" }]);
    return true;
  });
  sessions.close();
}

async function checkHealth(health) {
  const { status } = await call(health, "Check", { service: "sfvault.v1.Sessions" });
  assert.equal(status, "SERVING");
  health.close();
}

function call(client, method, request) {
  return new Promise((resolve, reject) => {
    const deadline = Date.now() + PATIENCE_MS;
    client[method](request, { deadline }, (error, response) => (error ? reject(error) : resolve(response)));
  });
}

function reasons(failed) {
  const { root } = protobuf.parse(STATUS, { keepCase: true });
  const [encoded] = failed.metadata.get("grpc-status-details-bin");
  return root
    .lookupType("google.rpc.Status")
    .decode(encoded)
    .details.filter((detail) => detail.type_url === "type.googleapis.com/google.rpc.ErrorInfo")
    .map((detail) => root.lookupType("google.rpc.ErrorInfo").decode(detail.value))
    .map(({ reason, domain }) => ({ reason, domain }));
}

function expectSession(response, session) {
  for (const field of ["session_id", "instance_url", "org_id", "generation"]) {
    assert.equal(response[field], session[field], field);
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
