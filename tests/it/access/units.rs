//! The unit of a rule is systemd's, and the one in which the process is now.

use super::{ETL, host};
use crate::{peer::Peer, unit::Unit};

/// T14, T15
#[tokio::test]
async fn a_unit_is_the_one_in_which_the_process_is_now_and_no_user_s_of_that_name() {
    let Some(scene) = host().await else { return };
    let Some(unit) = Unit::make("system.slice", "nightly") else {
        return;
    };
    let of_user = Unit::make(
        "user.slice/user-4242.slice/user@4242.service/app.slice",
        "nightly",
    );
    let inside = Unit::make("system.slice/sfv-other.service/system.slice", "nightly");
    let (of_user, inside) = (of_user.unwrap(), inside.unwrap());
    let elsewhere = Unit::make("sfv-lxc/system.slice", "nightly").unwrap();

    scene
        .allow("prod", &format!("--unit {}", unit.name()))
        .await;
    scene
        .allow("uat", &format!("--uid 4242 --user-unit {}", unit.name()))
        .await;
    let mut etl = Peer::of(&scene.sfvault, ETL, ETL).await;
    assert!(!etl.gets("prod").await && !etl.gets("uat").await);
    unit.takes(etl.pid());
    assert_eq!(etl.sees().await, ["prod"]);
    assert!(etl.gets("prod").await && !etl.gets("uat").await);
    of_user.takes(etl.pid());
    assert!(!etl.gets("prod").await && etl.gets("uat").await);
    for other in [&inside, &elsewhere] {
        other.takes(etl.pid());
        assert!(!etl.gets("prod").await && !etl.gets("uat").await);
    }
    unit.takes(etl.pid());
    assert!(etl.gets("prod").await);

    let explained = scene.explain("prod", etl.pid()).await;
    assert_eq!(explained["allowed"], true);
    assert_eq!(explained["peer"]["unit"], unit.name());
    let explained = scene.explain("uat", etl.pid()).await;
    assert_eq!(explained["allowed"], false);
    let missing = explained["rules"][0]["missing"][0].as_str().unwrap();
    assert!(
        missing.starts_with(&format!("its unit is {}, not", unit.name())),
        "{missing}"
    );
    scene.finish().await;
}
