//! Of the commands about who may use what.

pub(crate) const ALLOW: &str = "\
Examples:
  sfvault allow acme-prod --uid etl
  sfvault allow acme-prod --uid etl --unit nightly.service
  sfvault allow acme-prod --gid salesforce

  A rule lets in whom all of it fits, and takes nothing from anybody. Before the first one, the
  user who runs the daemon may use a record; in system mode nobody. Names are looked up once, in
  /etc/passwd and /etc/group; the number counts.
  --uid     the user of the process that connects
  --gid     its group, or one of its other groups
  --unit    the systemd unit in which it runs; needs Linux 6.5 and cgroup v2. Units of a user's
            own manager are another matter (--user-unit): that user can start any
  --exe     its program. Keeps out mistakes, not the user: who may run a program can make it do
            other things. No interpreter, no script, not sfvault itself. The daemon of another
            user than the job's needs CAP_SYS_PTRACE to see it

JSON:
  {\"record\",\"rules\",\"changed\",\"warnings\"}; `rules` is as in `sfvault access`
";

pub(crate) const DENY: &str = "\
Examples:
  sfvault deny acme-prod --uid etl
  sfvault deny acme-prod --all

  Takes back one rule, given as it was allowed, or all of them. What is not allowed is denied, so
  there are no rules that deny. Calls that wait are asked again at once.

JSON:
  {\"record\",\"rules\",\"changed\"}; `rules` is as in `sfvault access`
";

pub(crate) const ACCESS: &str = "\
Example:
  sfvault access acme-prod

JSON:
  {\"record\",\"rules\":[{\"uid\",\"user\",\"gid\",\"group\",\"unit\",\"user_unit\",\"exe\"}],\"default\"}
  `default` is true until an operator says something.
";

pub(crate) const EXPLAIN: &str = "\
Example:
  sfvault explain acme-prod --pid \"$(systemctl show -P MainPID nightly.service)\"

  Says what would become of the process if it connected now. To the process itself a record that
  it may not use looks like none.

JSON:
  {\"record\",\"pid\",\"allowed\",\"rules\":[{\"rule\",\"decides\",\"missing\"}],
   \"peer\":{\"uid\",\"gid\",\"groups\",\"unit\",\"user_unit\",\"unit_uid\",\"exe\",\"unknown\"}}
  `rule` is as in `sfvault access`.
";
