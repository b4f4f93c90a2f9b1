//! Many callers at once.

use super::*;

/// T40
#[tokio::test]
async fn a_thousand_callers_share_one_login() {
    let bench = bench(Script::Succeed);
    let results = bench.crowd(1000, Want::default()).await;
    assert!(results.iter().all(|result| *result == Ok(1)));
    assert_eq!(bench.logins(), 1);
}

/// T40: what popular single-flight shapes get wrong is that each waiter tries again.
#[tokio::test]
async fn five_hundred_callers_share_one_rejection() {
    let bench = bench(Script::Fail(Class::BadCredentials));
    let results = bench.crowd(500, Want::default()).await;
    assert!(
        results
            .iter()
            .all(|result| *result == Err(Class::BadCredentials))
    );
    bench.fake.may_answer.add_permits(1000);
    let later = bench.crowd(500, Want::default()).await;
    assert!(
        later
            .iter()
            .all(|result| *result == Err(Class::BadCredentials))
    );
    assert_eq!(bench.logins(), 1);
}

/// T40, on real threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_on_many_threads_share_one_rejection() {
    for _ in 0..20 {
        let bench = bench(Script::Fail(Class::BadCredentials));
        bench.fake.may_answer.add_permits(1000);
        let results = bench.crowd(200, Want::default()).await;
        assert!(
            results
                .iter()
                .all(|result| *result == Err(Class::BadCredentials))
        );
        assert_eq!(bench.logins(), 1);
    }
}
