//! From a name to addresses, without taking the threads that the disk and the key derivation need.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    sync::Arc,
};

use tokio::{sync::Semaphore, task};

/// Look-ups under way at a time: half of the threads that may block (`main.rs`). The system's resolver can't be told to
/// give up, and holds its thread for half a minute when no name server answers.
const MOST: usize = 8;

/// Looks names up, a few at a time.
#[derive(Debug)]
pub(super) struct Lookups(Arc<Semaphore>);

impl Default for Lookups {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

impl Lookups {
    /// The addresses of a host.
    ///
    /// # Errors
    /// If it has none, or no name server says so.
    pub(super) async fn addresses(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = name.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let name = name.to_owned();
        self.look_up(move || Ok((name.as_str(), port).to_socket_addrs()?.collect()))
            .await
    }

    /// Whoever gives up waiting leaves the look-up under way, and it counts until it has ended.
    async fn look_up<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let turn = Arc::clone(&self.0).acquire_owned().await;
        let turn = turn.map_err(io::Error::other)?;
        let done = task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use tokio::time::timeout;

    use super::*;

    /// One thread more than may look up.
    fn runtime() -> tokio::runtime::Runtime {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().max_blocking_threads(MOST + 1);
        runtime.build().unwrap()
    }

    #[test]
    fn a_resolver_that_is_down_leaves_threads_to_others_though_nobody_waits_for_it() {
        let lookups = Lookups::default();
        let mut hanging = Vec::new();
        runtime().block_on(async {
            for _ in 0..2 * MOST {
                let (end, hangs) = mpsc::channel::<()>();
                hanging.push(end);
                let look_up = lookups.look_up(move || Ok(hangs.recv()));
                assert!(timeout(Duration::ZERO, look_up).await.is_err());
            }
            let disk = task::spawn_blocking(|| "written");
            let disk = timeout(Duration::from_secs(20), disk).await;
            // The runtime ends with its threads.
            drop(hanging);
            assert_eq!(disk.unwrap().unwrap(), "written");
            assert_eq!(lookups.look_up(|| Ok(7)).await.unwrap(), 7);
        });
    }

    #[test]
    fn names_and_addresses_have_the_addresses_that_they_should() {
        let lookups = Lookups::default();
        runtime().block_on(async {
            for (name, address) in [("127.0.0.2", "127.0.0.2:443"), ("::1", "[::1]:443")] {
                let found = lookups.addresses(name, 443).await.unwrap();
                assert_eq!(found, [address.parse().unwrap()]);
            }
            let found = lookups.addresses("localhost", 443).await.unwrap();
            assert!(!found.is_empty() && found.iter().all(|at| at.ip().is_loopback()));
            assert!(lookups.addresses("no such name", 443).await.is_err());
        });
    }
}
