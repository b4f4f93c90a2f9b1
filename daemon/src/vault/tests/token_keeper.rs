//! The keeper by a clock of our own: tokio's stands still and jumps from timer to timer.

use std::time::Duration;

use tokio::time::sleep;

use super::rotation::World;

const DAY: Duration = Duration::from_hours(24);

/// Days pass for the wall clock; the keeper wakes and looks.
async fn days(world: &World, days: u32) {
    let keeper = world.vault.keep_tokens_alive();
    world.clock.advance(DAY * days);
    tokio::select! {
        never = keeper => match never {},
        () = sleep(Duration::from_hours(9)) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_nobody_uses_is_used_once_in_time() {
    let world = World::new(1).await;
    days(&world, 18).await;
    assert_eq!(world.asked(), 0);
    days(&world, 3).await;
    days(&world, 0).await;
    assert_eq!(world.asked(), 1);
    assert_eq!(world.on_the_platter(), world.org.current());
    days(&world, 18).await;
    assert_eq!(world.asked(), 1);
    days(&world, 3).await;
    assert_eq!(world.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_session_in_use_is_no_use_of_the_token() {
    let mut world = World::new(1).await;
    world.session().await;
    let asked = world.asked();
    // The session may live for weeks if it is used; the token must be used all the same.
    days(&world, 21).await;
    assert_eq!(world.asked(), asked + 1);
}

#[tokio::test(start_paused = true)]
async fn a_dead_token_is_tried_once_and_then_left_alone() {
    let world = World::new(1).await;
    world.org.approve();
    days(&world, 21).await;
    days(&world, 2).await;
    assert_eq!(world.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn while_salesforce_is_down_it_is_tried_again_after_hours() {
    let world = World::new(1).await;
    world.org.down(true);
    days(&world, 21).await;
    assert_eq!(world.asked(), 1);
    days(&world, 1).await;
    assert_eq!(world.asked(), 2);
    world.org.down(false);
    days(&world, 1).await;
    days(&world, 1).await;
    assert_eq!(world.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_locked_vault_uses_nothing_and_an_unlocked_one_what_is_due() {
    let world = World::new(1).await;
    world.vault.lock().await.unwrap();
    days(&world, 21).await;
    assert_eq!(world.asked(), 0);
    world.unlock().await;
    days(&world, 0).await;
    assert_eq!(world.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn unlocking_wakes_it() {
    let world = World::new(1).await;
    world.vault.lock().await.unwrap();
    world.clock.advance(DAY * 21);
    tokio::select! {
        never = world.vault.keep_tokens_alive() => match never {},
        () = async {
            world.unlock().await;
            while world.asked() == 0 {
                tokio::task::yield_now().await;
            }
        } => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_could_not_be_saved_is_saved_without_a_caller() {
    let mut world = World::new(1).await;
    while !world.vault.has_unsaved_token().await {
        world.break_disk();
        world.session().await;
    }
    days(&world, 0).await;
    assert!(
        world.vault.has_unsaved_token().await,
        "the disk is still broken"
    );
    world.disk.heal();
    days(&world, 0).await;
    assert_eq!(world.on_the_platter(), world.org.current());
    assert!(!world.vault.has_unsaved_token().await);
}

#[tokio::test(start_paused = true)]
async fn without_refresh_tokens_there_is_no_timer() {
    let world = World::new(1).await;
    assert!(world.vault.nap().is_some());
    world.vault.remove(super::rotation::name()).await.unwrap();
    assert_eq!(world.vault.nap(), None);
}

impl super::super::Vault {
    /// How long the keeper would sleep now.
    fn nap(&self) -> Option<Duration> {
        self.look().unwrap().nap
    }

    async fn has_unsaved_token(&self) -> bool {
        self.records().await.unwrap()[0].token_unsaved.is_some()
    }
}
