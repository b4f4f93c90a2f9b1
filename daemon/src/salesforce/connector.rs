//! From a host to a TLS stream with that very host at its other end.

use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{environment::Environment, lookups::Lookups, settings::Settings, trust::Trust, tunnel};
use crate::host::Host;

/// Connects, directly or through a proxy. Nothing that is sent here is secret but a proxy's login.
#[derive(Debug)]
pub(super) struct Connector {
    settings: Settings,
    environment: Environment,
    trust: Trust,
    lookups: Lookups,
}

/// Less is not enough for one address to answer over a bad line.
const SHORTEST_DIAL: Duration = Duration::from_secs(2);

impl Connector {
    pub(super) fn new(settings: Settings, environment: Environment) -> Self {
        Self {
            trust: Trust::new(&settings, &environment),
            settings,
            environment,
            lookups: Lookups::default(),
        }
    }

    /// A stream to the host, which has proven its name.
    ///
    /// # Errors
    /// Says what failed; it may quote foreign words.
    pub(super) async fn connect(&self, host: &Host) -> Result<TlsStream<TcpStream>, String> {
        let limit = self.settings.connect_timeout;
        timeout(limit, self.open(host)).await.unwrap_or_else(|_| {
            Err(format!(
                "no connection to `{host}` within {} s",
                limit.as_secs()
            ))
        })
    }

    /// The proxy on the way to a host, without its login.
    pub(super) fn proxy(&self, host: &Host) -> Option<String> {
        let found = self.settings.proxy.toward(host, &self.environment);
        found.ok().flatten().map(|proxy| proxy.to_string())
    }

    async fn open(&self, host: &Host) -> Result<TlsStream<TcpStream>, String> {
        let config = self.trust.config().await?;
        let proxy = self
            .settings
            .proxy
            .toward(host, &self.environment)
            .map_err(|problem| format!("the proxy in the environment can't be used: {problem}"))?;
        let tcp = match proxy {
            None => self.dial(host.name(), host.port()).await?,
            Some(proxy) => {
                let dialled = self.dial(proxy.host(), proxy.port()).await;
                let mut tcp = dialled
                    .map_err(|problem| format!("the proxy {proxy} is not there: {problem}"))?;
                tunnel::open(&mut tcp, &proxy, host).await?;
                tcp
            }
        };
        let name = ServerName::try_from(host.name().to_owned())
            .map_err(|_| format!("TLS can't name `{host}`"))?;
        TlsConnector::from(config)
            .connect(name, tcp)
            .await
            .map_err(|error| format!("no TLS connection to `{host}`: {error}"))
    }

    /// Tries one address after the other, each for its share of the time: one that swallows packets, as
    /// IPv6 addresses do on half-configured networks, must not use up all of it.
    async fn dial(&self, name: &str, port: u16) -> Result<TcpStream, String> {
        let found = self.lookups.addresses(name, port).await;
        let addresses =
            found.map_err(|error| format!("`{name}` has no address that can be found: {error}"))?;
        let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        let share = (self.settings.connect_timeout / count).max(SHORTEST_DIAL);
        let mut problem = format!("`{name}` has no address");
        for address in addresses {
            problem = match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => {
                    // The request is one write; waiting for more would only cost time.
                    let _ = tcp.set_nodelay(true);
                    return Ok(tcp);
                }
                Ok(Err(error)) => format!("no connection to `{name}` ({address}): {error}"),
                Err(_) => format!("no connection to `{name}` ({address}) in time"),
            };
        }
        Err(problem)
    }
}
