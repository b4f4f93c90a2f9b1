//! What the operator may settle about the way to Salesforce.

use std::{path::PathBuf, time::Duration};

use super::{hosts::HostRules, proxy::Proxy};

/// How to reach Salesforce.
#[derive(Debug, Clone)]
pub struct Settings {
    pub host_rules: HostRules,
    /// PEM certificates trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    pub proxy: Proxy,
    /// How long resolving, connecting, the proxy and TLS may take together.
    pub connect_timeout: Duration,
    /// How long the request and its whole answer may take together.
    pub answer_timeout: Duration,
    /// The longest answer that is read, in bytes.
    pub answer_limit: usize,
}

impl Default for Settings {
    /// `connect_timeout` outlasts two lost SYNs (1 s and 3 s). `answer_timeout` is far above a slow login
    /// (seconds), for giving up too early leaves an attempt whose outcome nobody knows. A login answer
    /// has about 3 KiB; `answer_limit` leaves room for an error page.
    fn default() -> Self {
        Self {
            host_rules: HostRules::default(),
            ca_file: None,
            proxy: Proxy::Environment,
            connect_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_mins(1),
            answer_limit: 1 << 20,
        }
    }
}
