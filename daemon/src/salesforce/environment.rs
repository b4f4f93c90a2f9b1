//! What the process finds around it that changes the way to Salesforce.

use std::{fmt, path::PathBuf};

use zeroize::Zeroizing;

/// The environment variables that matter here, read once. A proxy variable may hold a password.
#[derive(Clone, Default)]
pub struct Environment {
    /// `https_proxy`, else `HTTPS_PROXY`.
    pub https_proxy: Option<Zeroizing<String>>,
    /// `all_proxy`, else `ALL_PROXY`.
    pub all_proxy: Option<Zeroizing<String>>,
    /// `no_proxy`, else `NO_PROXY`.
    pub no_proxy: Option<String>,
    /// `SSL_CERT_FILE`.
    pub ssl_cert_file: Option<PathBuf>,
    /// `SSL_CERT_DIR`.
    pub ssl_cert_dir: Option<PathBuf>,
}

impl Environment {
    /// Reads this process's environment. `HTTP_PROXY` is left alone: it is meant for `http://` only.
    #[must_use]
    pub fn read() -> Self {
        let text = |names: [&str; 2]| {
            names
                .iter()
                .filter_map(|name| std::env::var(name).ok())
                .find(|value| !value.is_empty())
        };
        let path = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        Self {
            https_proxy: text(["https_proxy", "HTTPS_PROXY"]).map(Zeroizing::new),
            all_proxy: text(["all_proxy", "ALL_PROXY"]).map(Zeroizing::new),
            no_proxy: text(["no_proxy", "NO_PROXY"]),
            ssl_cert_file: path("SSL_CERT_FILE"),
            ssl_cert_dir: path("SSL_CERT_DIR"),
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("https_proxy", &self.https_proxy.as_ref().map(|_| ".."))
            .field("all_proxy", &self.all_proxy.as_ref().map(|_| ".."))
            .field("no_proxy", &self.no_proxy)
            .field("ssl_cert_file", &self.ssl_cert_file)
            .field("ssl_cert_dir", &self.ssl_cert_dir)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_proxy_password() {
        let environment = Environment {
            https_proxy: Some(Zeroizing::new("http://u:hunter2@p".to_owned())),
            all_proxy: Some(Zeroizing::new("http://u:hunter3@p".to_owned())),
            ..Environment::default()
        };
        let shown = format!("{environment:?}");
        assert!(!shown.contains("hunter"), "{shown}");
    }
}
