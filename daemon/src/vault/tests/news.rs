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

/// Whoever watches was told that there is no session.
#[tokio::test(start_paused = true)]
async fn what_waited_for_the_disk_is_told_once_it_is_saved() {
    let world = World::new(1).await;
    let (refresher, entry) = world.vault.find("prod").unwrap();
    entry.lock().unsaved = true;
    for news in [true, false] {
        let changes = entry.changes();
        let saved = entry.save(&refresher.store, &refresher.keys).await;
        saved.unwrap();
        assert_eq!(changes.has_changed().unwrap(), news);
    }
}
