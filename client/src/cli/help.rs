//! The ends of the long helps, and with them of the manual pages: examples, JSON shapes, exit statuses.

mod access;
mod audit;

pub(crate) use self::{
    access::{ACCESS, ALLOW, DENY, EXPLAIN},
    audit::{LOG, LOG_VERIFY, USAGE},
};

pub(crate) const MAIN: &str = "\
Exit status:
    0  done
    2  wrong usage: the arguments, a file, an environment variable
    3  no daemon answers, and none could be started
    4  no such record, or it exists already
    5  denied, or another org than expected
    6  a human must act: vault locked, credential rejected, password expired, login disabled
   75  try again later: network, Salesforce down, too many logins
    1  anything else
  `exec` ends as its command does; 126 and 127 mean that the command could not be run or found.
  A signal that interrupts a prompt makes 128 and its number.

Environment:
  SFVAULT_MODE          system: ask the daemon of the host, in /run/sfvault, not one's own
  SFVAULT_RUNTIME_DIR   directory of the sockets
  SFVAULT_DATA_DIR      directory of the vault, for a daemon that is started
  SFVAULT_CONFIG_DIR    directory of config.toml, for a daemon that is started
  SFVAULT_NO_AUTOSTART  if not empty, as --no-autostart
  NO_COLOR              if not empty, as --no-color
  BROWSER               programs to open a page with, separated by colons; `%s` stands for the page

Output:
  stdout takes data only. What is said to people goes to stderr: `error: …`, then `hint: …`.
  With --json every error is one line on stderr:
  {\"error\":{\"reason\",\"message\",\"hint\",\"retry_after_seconds\",\"exit_status\"}}
  and every warning {\"warning\":{\"message\"}}. What is not known is null. Keys may be added.

Examples:
  sfvault init
  sfvault add acme-prod --username etl@acme.example --production
  sfvault exec acme-prod -- python3 load_accounts.py
";

pub(crate) const INIT: &str = "\
Example:
  sfvault init
  sfvault init --passphrase-file /etc/credstore/sfvault

JSON:
  {\"vault_path\"}
";

pub(crate) const UNLOCK: &str = "\
Example:
  sfvault unlock
  pass show sfvault | sfvault unlock --passphrase-fd 0

JSON:
  {\"records\",\"changed\"}; `changed` is false if the vault was unlocked already
";

pub(crate) const LOCK: &str = "\
Example:
  sfvault lock

JSON:
  {\"changed\",\"sessions_dropped\"}
  The sessions go on at Salesforce, and the vault keeps them sealed for the next unlock.
";

pub(crate) const STATUS: &str = "\
Examples:
  sfvault status
  sfvault status --peers
  sfvault status --security

  Starts no daemon. If none runs, the exit status is 3; without --peers and --security, stdout
  still has data.
  Of each record that must change it tells what ends and when, how sure the date is and who says
  so, what to do, and who used the record last; `sfvault usage` tells of all who did.

JSON:
  {\"running\":true,\"version\",\"pid\",\"started_at\",\"vault\",\"vault_path\",\"records\",\"warnings\"}
  {\"running\":false,\"vault\",\"vault_path\"}
  `vault` is missing, locked or unlocked; `records` is as in `sfvault list`.
  With --peers: {\"peers\":[{\"uid\",\"unit\",\"socket\",\"pids\",\"connections\",\"calls\",\"waiting\",
  \"bytes\",\"calls_total\",\"logins\",\"holds\",\"held_back\":[{\"what\",\"times\",\"now\",\"until\"}]}],
  \"limits\":{\"connections\":{\"room\",\"user\",\"unit\",\"process\"},\"calls\",\"waiting\",\"bytes\",
  \"holds\"}}.
  `what` is one of the limits, `turns` (its calls came faster than its part of the time,
  while others were connected) or `logins`.
  With --security: {\"protections\":[{\"name\",\"state\",\"reason\"}]}
  `state` is on, off or \"not available\".
";

pub(crate) const ADD: &str = "\
Examples:
  sfvault add acme-prod --username etl@acme.example --production
  sfvault add acme-uat --username etl@acme.example.uat \\
      --sandbox --password-file pw --token-file tok
  sfvault add acme --username etl@acme.example \\
      --login-url https://acme.my.salesforce.com --stdin < acme.json
  sfvault add acme-job --flow client-credentials --consumer-key 3MVG9… \\
      --login-url https://acme.my.salesforce.com --consumer-secret-file secret
  sfvault add acme-etl --flow jwt-bearer --username etl@acme.example --consumer-key 3MVG9… \\
      --production --private-key-file key.pem --remind 365d
  sfvault add me --flow refresh-token --consumer-key 3MVG9… \\
      --production --refresh-token-file token --no-consumer-secret

  Each flow has settings and secrets of its own; others are refused:
    soap-login          --username; password, security token
    username-password   --username, --consumer-key; password, security token, consumer secret
    client-credentials  --consumer-key, --login-url with the My Domain; consumer secret
    jwt-bearer          --username, --consumer-key, --audience; private key, consumer secret
    refresh-token       --consumer-key; refresh token, consumer secret

  With --login-url, --sandbox and --production refuse a host of the other kind.
  What is given neither in a file nor by --stdin is asked for, except a private key. With a file, no
  --token-file means that no token is needed; a consumer secret is asked for unless
  --no-consumer-secret says that the app needs none. A `jwt-bearer` login works without; the
  secret only serves to ask Salesforce how long a session lives.
  Nothing is sent to Salesforce; `sfvault check` does that.

JSON:
  stdin:  {\"password\",\"security_token\",\"consumer_secret\",\"private_key\",\"refresh_token\"},
          those of the flow; what a login can do without may be empty or left out
  stdout: {\"record\",\"warnings\"}; `record` is as in `sfvault show`
";

pub(crate) const LIST: &str = "\
Example:
  sfvault list

JSON:
  {\"records\":[…]}, each as in `sfvault show`
";

pub(crate) const SHOW: &str = "\
Example:
  sfvault show acme-prod

JSON:
  {\"name\",\"username\",\"login_url\",\"flow\",\"state\",\"reason\",\"problem\",
   \"failed_at\",\"retry_at\",\"org_id\",\"user_id\",\"generation\",\"created_at\",
   \"credential_changed_at\",\"session_issued_at\",\"guaranteed_until\",\"logins\",
   \"logins_last_hour\",\"logins_per_hour_limit\",\"login_limit_reached_at\",
   \"logins_throttled_until\",
   \"consumer_key\",\"audience\",\"remind_after_seconds\",\"credential_due_at\",
   \"refresh_token_idle_until\",
   \"kept_flow\",\"generated_password\",
   \"retirements\":[{\"event\",\"text\",\"day\",\"certainty\",\"source\",\"advice\",\"over\"}],
   \"last_users\":[{\"uid\",\"unit\",\"exe\",\"at\"}]}
  `state` is idle, logging-in, ready, backing-off or latched.
  The logins of the last hour are those of the record's user, over all its records.
  `last_users` are the three who used it last, as the audit tells; null in answers other than
  those of `show` and, for a record that must change, of `status`, and where nobody did lately and
  older lines of the audit were not read.
  Times are such as 2026-11-21T20:42:44Z.
";

pub(crate) const LOGIN: &str = "\
Examples:
  sfvault login me --login-url https://acme.my.salesforce.com --consumer-key 3MVG9…
  sfvault login me

  Opens Salesforce's own login page in the browser and listens on this host until it comes back.
  The app needs the scopes `api` and `refresh_token` and, among its callback URLs,
  http://localhost:1717/callback, or the one of another --port.
  A record that exists gets a new refresh token; its org and user stay what they are.
  On a host without a browser, open the page elsewhere, with the port forwarded:
  ssh -L 1717:localhost:1717 HOST

JSON, one object a line:
  {\"authorize_url\",\"callback_url\",\"expires_at\"}, before the browser is waited for
  {\"record\",\"added\",\"instance_url\"}; `record` is as in `sfvault show`
";

pub(crate) const SET: &str = "\
Examples:
  sfvault set acme-prod
  sfvault set acme-prod --token-file new-token
  sfvault set acme-prod --open
  sfvault set acme-prod --remind 90d

  Only what is given changes, and only secrets of the record's flow can be given.
  New secrets release a record whose old ones were rejected.
  --remind makes `list`, `show` and `status` tell when the credential is due for a change, after
  at most 3660d.

JSON:
  stdin:  as for `sfvault add`; what is left out stays, an empty token or consumer secret means none
  stdout: {\"record\",\"changed\",\"warnings\"}; `changed` is false if the secrets are the stored ones
";

pub(crate) const ROTATE: &str = "\
Examples:
  sfvault rotate acme-prod
  sfvault rotate acme-prod --token-file new-token
  sfvault rotate acme-prod --generate

  One login is made with the new secrets, with the stored ones for the rest. If it succeeds they
  replace the old, and jobs that wait go on; if not, the old stay, and the message says what was
  tried. Nothing else is ever tried. A change of the password at Salesforce resets the security
  token: then give both.

Generated passwords:
  --generate sets a random password of 24 characters at Salesforce with the record's session. It
  is sealed in the vault before it is sent, beside the old one, and replaces it when a login with
  it has succeeded. Until the security token that Salesforce mails is entered, here at once or
  later by `sfvault rotate NAME`, jobs have the present session and no login is made.
  If no answer came, `sfvault show` says so, and both are kept: enter the token if one is mailed,
  else --keep-old proves the old secrets and drops the new. --reveal-pending shows the password
  while it awaits its token, for a person who must log in to reset the token by hand.

JSON:
  stdin:  as for `sfvault set`
  stdout: {\"record\",\"result\",\"warnings\"}; `result` is replaced, same, token-awaited or
          kept-old
";

pub(crate) const MIGRATE: &str = "\
Examples:
  sfvault migrate acme-prod --flow client-credentials --consumer-key 3MVG9… \\
      --login-url https://acme.my.salesforce.com --consumer-secret-file secret --dry-run
  sfvault migrate acme-prod --back
  sfvault migrate acme-prod --forget-old

  One login is made the new way and proved by one call. It must lead to the org and user of the
  present login, or to those that --expect-org and --expect-user name. Then the record logs in so:
  jobs keep its name, and their next session is of the new login. The call shows that the API is
  open to the session, not what the user may read or write there: an app's scopes can narrow that.
  The old login stays sealed in the vault for --back, until --forget-old or another migration.
  Options are those of `sfvault add`; --login-url is by default the record's.

JSON:
  stdin:  as for `sfvault add`
  stdout: {\"record\",\"changed\",\"before\",\"after\",\"warnings\"}; before and after are
          {\"flow\",\"login_url\",\"consumer_key\",\"org_id\",\"user_id\",\"username\",
          \"instance_url\",\"timeout_seconds\",\"proven\"}
          with --back and --forget-old: {\"record\",\"changed\"}
";

pub(crate) const REMOVE: &str = "\
Example:
  sfvault remove acme-old --yes

  The session at Salesforce goes on until it expires.

JSON:
  {\"removed\"}
";

pub(crate) const LOGOUT: &str = "\
Example:
  sfvault logout acme-prod --yes

  With --json it needs --yes, for nobody is shown who would be cut off.
  Calls Salesforce's logout once. Salesforce often gives all logins of a user the same session:
  other tools that log in as this user may lose theirs too. Who asks sfvaultd next gets a new
  session, and who follows one is given it. Nothing else ends a session: not sfvaultd by itself,
  nor `lock`, nor `remove`.

JSON:
  {\"record\",\"ended\",\"holders\":[{\"uid\",\"pid\",\"watching\",\"until_exit\",\"at\"}]}
";

pub(crate) const CHECK: &str = "\
Examples:
  sfvault check acme-prod
  sfvault check acme-prod --release

  Logs in if there is no session, and makes one call with it. After a rejection, --release makes one
  more login with the same secrets: use it when the cause was mended in Salesforce.

JSON:
  {\"record\",\"instance_url\",\"logged_in\"}; `record` is as in `sfvault show`
";

pub(crate) const GET: &str = "\
Examples:
  curl -H @<(sfvault get acme-prod --format header) \\
      \"$(sfvault get acme-prod --format url)/services/data/v64.0/limits\"
  set -a; eval \"$(sfvault get acme-prod --format env)\"; set +a
  sfvault get acme-prod --json --min-ttl 30m --expect-production

  When Salesforce refuses a session (401 INVALID_SESSION_ID), ask again with --refused-generation
  and the generation from the JSON: the same session is not given again.

  --follow goes on: it writes a JSON line for each session that follows, and the session is kept
  alive meanwhile. A restart of the daemon and a locked vault are waited for. SIGTERM and SIGINT end
  it with status 0.

  --format env writes SF_ACCESS_TOKEN, SF_SESSION_ID, SF_INSTANCE_URL, SF_ORG_INSTANCE_URL,
  SF_ORG_ID and SF_API_VERSION, quoted for a shell, without `export`.

JSON:
  {\"session_id\",\"instance_url\",\"api_version\",\"org_id\",\"user_id\",\"username\",\"sandbox\",
   \"generation\",\"issued_at\",\"guaranteed_until\",\"expires_at\"}
";

pub(crate) const EXEC: &str = "\
Examples:
  sfvault exec acme-prod --min-ttl 30m -- python3 load_accounts.py --full
  sfvault exec acme-prod --refresh-file /run/user/1000/acme.json -- ./nightly.sh

  Sets SF_ACCESS_TOKEN, SF_SESSION_ID (the same), SF_INSTANCE_URL, SF_ORG_INSTANCE_URL (the same),
  SF_ORG_ID and SF_API_VERSION. `sfvault` turns into the command: signals, exit status and
  process id are the command's own. Without a session, the exit status is that of `sfvault get`.
  sfvaultd keeps the session alive until the command has exited, though it makes no calls, unless
  the vault is locked, the daemon restarted or the command no longer let in. What the command leaves
  running does not count. Where the kernel does not name processes (before Linux 6.5) or too much is
  held so, it is kept alive for half an hour. A session that ends all the same is not replaced:
  let the job ask for another, or start it with --refresh-file, which outlasts all this.

  With --refresh-file, `sfvault` stays: it keeps the session alive and the file, whose path is in
  SF_SESSION_FILE too, up to date: the JSON of `sfvault get`, mode 0600, replaced at once. Read it
  again when Salesforce refuses the session. Signals go on to the command, its exit status is passed
  on (128 and the signal if one killed it), and the file goes with it. What a killed run left there
  is replaced, any other file refused; if another job keeps its session there, the status is 75.
";

pub(crate) const DOCTOR: &str = "\
Examples:
  sfvault doctor
  sfvault doctor acme-prod --login
  sfvault doctor --json | jq '.findings[] | select(.check == \"retirement\")'

  Looks at the daemon, its directories and sockets, the vault and its key slots, each record, and
  what its login host tells without a login: whether it is reached over verified TLS, how far the
  clocks are apart, and which API versions it offers. No login is made without --login.
  Tells how much of its hourly login budget a record's user has used, and for a record that must
  change soon who used it last, as far as the audit goes back.
  Retirements come from a table of dates in sfvaultd; `[retirement]` in config.toml changes them.
  Ends with status 6 if there is a problem.

JSON:
  {\"problems\",\"warnings\",\"findings\":[{\"check\",\"subject\",\"grade\",\"text\",\"fix\"}]}
  `grade` is good, note, warning or problem.
";

pub(crate) const COMPLETIONS: &str = "\
Example:
  sfvault completions bash > ~/.local/share/bash-completion/completions/sfvault
";

pub(crate) const MAN: &str = "\
Example:
  sfvault man | man -l -
  sfvault man --dir /usr/local/share/man/man1
";
