//! Whom TLS trusts: the system's certificates, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name
//! instead, and the operator's own.

use std::{path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::{sync::OnceCell, task};

use super::{environment::Environment, settings::Settings};

/// The TLS configuration, made when it is first needed: reading some 150 certificates takes a while, and a
/// daemon that is asked for nothing needs none. A failure is not kept; the next caller tries again.
#[derive(Debug)]
pub(super) struct Trust {
    sources: Sources,
    config: OnceCell<Arc<ClientConfig>>,
}

#[derive(Debug, Clone)]
struct Sources {
    ca_file: Option<PathBuf>,
    cert_file: Option<PathBuf>,
    cert_dir: Option<PathBuf>,
}

impl Trust {
    pub(super) fn new(settings: &Settings, environment: &Environment) -> Self {
        Self {
            sources: Sources {
                ca_file: settings.ca_file.clone(),
                cert_file: environment.ssl_cert_file.clone(),
                cert_dir: environment.ssl_cert_dir.clone(),
            },
            config: OnceCell::new(),
        }
    }

    /// The configuration.
    ///
    /// # Errors
    /// Says which file can't be read, or that there is no certificate at all.
    pub(super) async fn config(&self) -> Result<Arc<ClientConfig>, String> {
        let load = || async {
            let sources = self.sources.clone();
            task::spawn_blocking(move || sources.load())
                .await
                .map_err(|_| "reading the trusted certificates failed".to_owned())?
        };
        self.config.get_or_try_init(load).await.cloned()
    }
}

impl Sources {
    fn load(&self) -> Result<Arc<ClientConfig>, String> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| format!("TLS can't be set up: {error}"))?
            .with_root_certificates(self.roots()?)
            .with_no_client_auth();
        // Logins are rare; a kept ticket would be one more secret in memory.
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn roots(&self) -> Result<RootCertStore, String> {
        let found = if self.cert_file.is_some() || self.cert_dir.is_some() {
            rustls_native_certs::load_certs_from_paths(
                self.cert_file.as_deref(),
                self.cert_dir.as_deref(),
            )
        } else {
            rustls_native_certs::load_native_certs()
        };
        let mut roots = RootCertStore::empty();
        // A system's store may hold a certificate that rustls can't use; the others still count.
        roots.add_parsable_certificates(found.certs);
        if let Some(path) = &self.ca_file {
            let problem = |what: &str| format!("`ca_file` {}: {what}", path.display());
            let own: Result<Vec<_>, _> =
                CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
            let own = own.map_err(|error| problem(&error.to_string()))?;
            if own.is_empty() {
                return Err(problem("it has no PEM certificate"));
            }
            for certificate in own {
                roots
                    .add(certificate)
                    .map_err(|error| problem(&error.to_string()))?;
            }
        }
        if roots.is_empty() {
            let cause = found.errors.first().map(|error| format!(" ({error})"));
            return Err(format!(
                "no trusted certificate was found{}; install the system's CA certificates, or set \
                 `ca_file` under `[salesforce]` in config.toml",
                cause.unwrap_or_default()
            ));
        }
        Ok(roots)
    }
}
