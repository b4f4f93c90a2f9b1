//! Holds an answer back until a test lets it go.

use tokio::sync::watch;

/// Where an answer waits. Clones are the same gate.
#[derive(Debug, Clone)]
pub struct Gate(watch::Sender<Passage>);

#[derive(Debug, Clone, Copy, Default)]
struct Passage {
    arrived: u32,
    open: bool,
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self(watch::Sender::default())
    }

    /// Waits until an answer waits here. The simulator has acted on its request by then.
    pub async fn reached(&self) {
        self.wait(|passage| passage.arrived > 0).await;
    }

    /// Lets all answers go, those to come too.
    pub fn open(&self) {
        self.0.send_modify(|passage| passage.open = true);
    }

    pub(super) async fn pass(&self) {
        self.0.send_modify(|passage| passage.arrived += 1);
        self.wait(|passage| passage.open).await;
    }

    async fn wait(&self, until: impl FnMut(&Passage) -> bool) {
        // It fails only without a sender, and `self` is one.
        let _: Result<_, _> = self.0.subscribe().wait_for(until).await;
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}
