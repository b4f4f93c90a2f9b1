//! Of the commands about who did what.

pub(crate) const LOG: &str = "\
Examples:
  sfvault log prod --since 2h
  sfvault log --denied --follow
  sfvault log --session-file leaked-session-id
  sfvault log verify

  One line for each decision, login and administration call, oldest first. A peer is named by its
  user, unit and program, as far as they are known; a decision by the access rule that let the peer
  in, or by what is missing for each. A session is named by its fingerprint; --session-file finds
  the lines of a session whose id turned up somewhere.
  `verify` checks every line; if any was changed, removed, reordered or cut off, it says where, and
  the exit status is 1.

JSON:
  one object a line: {\"seq\",\"time\",\"action\",\"verdict\",\"count\",\"record\",\"reason\",\"rule\",\"class\",
   \"flow\",\"generation\",\"fingerprint\",\"uid\",\"gid\",\"pid\",\"unit\",\"exe\",\"note\"}
  verify: {\"whole\",\"files\",\"lines\",\"findings\":[{\"file\",\"line\",\"problem\"}],\"more\"}
";

pub(crate) const LOG_VERIFY: &str = "\
Example:
  sfvault log verify

  Needs the unlocked vault, which has the key to check with. If something is wrong, every finding is
  a line `FILE:LINE: PROBLEM` on stdout, and the exit status is 1.

JSON:
  {\"whole\",\"files\",\"lines\",\"findings\":[{\"file\",\"line\",\"problem\"}],\"more\"}
";

pub(crate) const USAGE: &str = "\
Examples:
  sfvault usage prod
  sfvault usage prod --since 2026-11-01

  Added up from the audit: as far back as its files go. To know before a record is migrated, rotated
  or removed.

JSON:
  {\"users\":[{\"uid\",\"unit\",\"exe\",\"served\",\"refused\",\"denied\",\"flow\",\"first\",\"last\"}],
   \"others\",\"logins\",\"failed_logins\"}
";
