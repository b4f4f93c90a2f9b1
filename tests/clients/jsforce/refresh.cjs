// Refreshes a session with jsforce as people install it: with a stored refresh token, and whenever one dies.
//
// Standard input is the simulator's JSON line. NODE_EXTRA_CA_CERTS makes the client trust it. Exits non-zero,
// with a stack, if anything is not as expected.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const { Connection } = require("jsforce");

const SOQL = "SELECT Id FROM Account";

async function main() {
  const simulator = JSON.parse(fs.readFileSync(0, "utf8"));
  const control = async (path, body) => {
    const options = body && { method: "POST", body: JSON.stringify(body) };
    const answer = await fetch(simulator.control_url + path, options);
    assert.equal(answer.status, 200, await answer.clone().text());
    return answer.json();
  };
  const user = { username: simulator.username };
  const flows = async () => (await control("/flows"))[simulator.username];
  const connect = (refreshToken) =>
    new Connection({
      oauth2: {
        clientId: simulator.consumer_key,
        clientSecret: simulator.consumer_secret,
        loginUrl: simulator.login_url,
      },
      instanceUrl: simulator.instance_url,
      accessToken: "00Dxx0000001gPL!dead",
      refreshToken,
    });

  // A dead session is answered by a refresh, and the call goes through.
  const { refresh_token: token } = await control("/approve", user);
  const connection = connect(token);
  let refreshed = 0;
  connection.on("refresh", () => refreshed++);
  assert.equal((await connection.query(SOQL)).totalSize, 5);
  await control("/expire-sessions", user);
  assert.equal((await connection.query(SOQL)).totalSize, 5);
  assert.equal(refreshed, 2);
  assert.equal((await flows())["refresh-token"].accepted, 2);

  // The answer does not say how long the session lives.
  const told = await connection.oauth2.refreshToken(token);
  assert.equal(told.expires_in, undefined);
  assert.equal(told.instance_url, simulator.instance_url);
  assert.match(told.issued_at, /^\d{13}$/);

  // With rotation the answer carries the next token.
  await control("/app", { rotates: true });
  const next = await connection.oauth2.refreshToken(token);
  assert.notEqual(next.refresh_token, token);
  assert.equal((await connection.oauth2.refreshToken(next.refresh_token)).token_type, "Bearer");
  await control("/app", { rotates: false });

  // A revoked token is dead for good.
  const { refresh_token: revoked } = await control("/approve", user);
  await connection.oauth2.revokeToken(revoked);
  await assert.rejects(connect(revoked).query(SOQL), /expired access\/refresh token/);
  await assert.rejects(connection.oauth2.revokeToken("what"), /unsupported_token_type|not supported/);

  assert.deepEqual(await control("/unexpected"), []);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
