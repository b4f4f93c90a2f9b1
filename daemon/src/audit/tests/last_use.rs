//! Who used a record last, as a daemon tells that writes and was started again.

use super::*;

fn used(running: &Running, unit: &str) {
    running.audit.note(Event {
        who: Some(Cow::Owned(Who {
            unit: Some(unit.into()),
            ..Who::default()
        })),
        record: Some("prod".into()),
        ..Event::new(Action::GET, Verdict::Served)
    });
}

/// The units that used the record `prod`, and what there is to say beside.
async fn last(running: &Running) -> (Vec<String>, bool, bool) {
    let mut uses = running.audit.last_uses(vec!["prod".to_owned()]).await;
    let last = uses.remove(0);
    let units = last.users.into_iter().filter_map(|last| last.user.unit);
    (units.collect(), last.more, last.unread)
}

fn units(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[tokio::test]
async fn whoever_asks_is_told_of_all_that_was_told_before_also_by_an_earlier_daemon() {
    let mut home = Home::new();
    // A line or two for each file.
    home.settings.file_bytes = 400;
    let running = home.start();
    assert_eq!(last(&running).await, (vec![], false, false));
    for unit in ["a", "b", "c", "d"] {
        used(&running, unit);
        assert_eq!(last(&running).await.0.first().unwrap(), unit);
    }
    running.stop().await;
    let running = home.start();
    assert_eq!(last(&running).await, (units(&["d", "c", "b"]), true, false));
    used(&running, "a");
    assert_eq!(last(&running).await.0, units(&["a", "d", "c"]));
    running.stop().await;
}

/// What `status` waits for is the disk, never longer than that fails.
#[tokio::test]
async fn what_can_not_be_read_is_not_known() {
    let home = Home::new();
    fs::create_dir(home.file("audit.jsonl")).unwrap();
    let running = home.start();
    used(&running, "a");
    assert_eq!(last(&running).await, (vec![], false, true));
    fs::remove_dir(home.file("audit.jsonl")).unwrap();
    running.tell("uat").await;
    assert_eq!(last(&running).await, (units(&["a"]), false, false));
    running.stop().await;
}
