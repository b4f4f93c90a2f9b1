//! Who hears of what.

use super::rotation::World;

/// All who watch any record are judged anew after what is told there.
#[tokio::test(start_paused = true)]
async fn a_login_is_told_by_its_record_and_not_by_the_vault() {
    let mut world = World::new(1).await;
    let changes = world.vault.changes();
    world.session().await;
    assert!(!changes.has_changed().unwrap());
}
