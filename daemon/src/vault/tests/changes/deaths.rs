//! What is left when the daemon dies at any write.

use super::*;

/// Fails the disk for good at its n-th operation, lets the daemon die then, and hands on what came of it; for every
/// n until the work gets through. What the cache held is lost or kept, in turn.
async fn at_every_write<F>(
    before: impl Fn(&Stage),
    work: impl Fn(Arc<Vault>) -> F,
    check: impl AsyncFn(&mut Stage, bool),
) where
    F: Future<Output = bool>,
{
    let mut died = 0;
    for after in 1_u64.. {
        let mut struck = false;
        for lose in [true, false] {
            let mut stage = Stage::ready().await;
            prepare(&stage).await;
            before(&stage);
            stage.disk.arm(Fault {
                after,
                kind: io::ErrorKind::Other,
                once: false,
                short: after.is_multiple_of(2),
                reads_too: false,
            });
            let acknowledged = work(Arc::clone(&stage.vault)).await;
            let bytes = match lose {
                true => stage.disk.after_losing(|| true),
                false => stage.disk.bytes(),
            };
            struck = stage.disk.heal();
            stage.restart_with(bytes).await;
            check(&mut stage, acknowledged).await;
        }
        if !struck {
            break;
        }
        died += 1;
    }
    assert!(died >= 3, "only {died} places to die at");
}

/// The first write after opening readies the file; it is not the one to be tested.
async fn prepare(stage: &Stage) {
    stage.vault.check(prod(), true).await.unwrap();
}

#[tokio::test]
async fn a_migration_that_dies_at_any_write_leaves_one_login_or_the_other() {
    let work = |vault: Arc<Vault>| async move { vault.migrate(to_app(APP_SECRET)).await.is_ok() };
    at_every_write(
        |_| (),
        work,
        async |stage: &mut Stage, acknowledged| {
            let (stored, credential) = stage.stored();
            let flow = stored.record.flow.kind();
            assert_eq!(credential.flow(), flow);
            assert_eq!(
                stored.record.aside.kept.is_some(),
                flow == FlowKind::ClientCredentials
            );
            assert!(!acknowledged || flow == FlowKind::ClientCredentials);
            // Either way the jobs go on, and the operator can go either way.
            stage.session().await.unwrap();
            if flow == FlowKind::ClientCredentials {
                stage.vault.migrate_back(prod(), true).await.unwrap();
            } else {
                stage.migrate(|_| {}).await.unwrap();
            }
            stage.session().await.unwrap();
            assert_eq!(stage.logins().1, 0);
        },
    )
    .await;
}

#[tokio::test]
async fn a_rotation_that_dies_at_any_write_leaves_the_old_secrets_or_the_new() {
    let work =
        |vault: Arc<Vault>| async move { vault.rotate(prod(), token(NEW_TOKEN)).await.is_ok() };
    let reset = |stage: &Stage| stage.salesforce.state().token = Some(NEW_TOKEN.to_owned());
    at_every_write(reset, work, async |stage: &mut Stage, acknowledged| {
        let token = stage
            .stored()
            .1
            .security_token()
            .unwrap()
            .expose()
            .to_owned();
        let is_new = token == NEW_TOKEN;
        assert!(is_new || token == "OldTokenOldTokenOldToken");
        assert!(is_new || !acknowledged);
        // The old one is dead: a login with it would be rejected, so it is the new one or an operator again.
        if !is_new {
            stage.clock.advance(Ledger::WINDOW);
            stage.rotate(super::token(NEW_TOKEN)).await.unwrap();
        }
        stage.session().await.unwrap();
        assert_eq!(stage.logins().1, 0);
    })
    .await;
}

#[tokio::test]
async fn a_password_is_known_whenever_the_daemon_dies_while_it_is_generated() {
    let work =
        |vault: Arc<Vault>| async move { vault.rotate(prod(), Rotation::Generate).await.is_ok() };
    at_every_write(
        |_| (),
        work,
        async |stage: &mut Stage, acknowledged| {
            assert!(stage.knows_the_password().await);
            let changed = stage.salesforce.state().changes > 0;
            let drawn = stage.record().aside.drawn.map(|drawn| drawn.state);
            assert!(!acknowledged || drawn == Some(DrawnState::InForce));
            match drawn {
                None => assert!(!changed, "sent, and not kept"),
                Some(_) => {
                    // No login that could be rejected is made by itself.
                    let latched = stage.session_anew().await;
                    assert!(matches!(latched, Err(Error::Latched { .. })));
                    assert_eq!(stage.logins().1, 0);
                    let rotation = if changed {
                        token(NEW_TOKEN)
                    } else {
                        Rotation::KeepOld
                    };
                    stage.rotate(rotation).await.unwrap();
                }
            }
            assert!(stage.knows_the_password().await);
            stage.session().await.unwrap();
            assert_eq!(stage.logins().1, 0);
        },
    )
    .await;
}

#[tokio::test]
async fn the_way_back_dies_as_well_as_the_way_there() {
    let work = |vault: Arc<Vault>| async move {
        vault.migrate(to_app(APP_SECRET)).await.is_ok()
            && vault.migrate_back(prod(), false).await.is_ok()
            && vault.forget_old(prod()).await.is_ok()
    };
    at_every_write(
        |_| (),
        work,
        async |stage: &mut Stage, acknowledged| {
            let (stored, _) = stage.stored();
            assert!(!acknowledged || stored.record.aside.kept.is_none());
            stage.session().await.unwrap();
            assert_eq!(stage.logins().1, 0);
        },
    )
    .await;
}
