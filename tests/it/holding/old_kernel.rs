//! Jobs whose process the kernel does not name.

use sfvault_tests::old_kernel::forget_how_to_name_peers;

use super::*;

/// Does this where the kernel names no process. All of a daemon is in one thread, and so is its kernel.
fn before_linux_6_5<T: Future<Output = ()>>(night: impl FnOnce() -> T + Send + 'static) {
    let thread = thread::spawn(|| {
        forget_how_to_name_peers().unwrap();
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(night());
    });
    thread.join().unwrap_or_else(|panic| resume_unwind(panic));
}

/// The end of the job can't be heard of, so its call is a GetSession as any other.
#[test]
fn before_linux_6_5_a_job_gets_its_session_and_it_is_kept_for_half_an_hour() {
    before_linux_6_5(async || {
        let night = Night::new().await;
        let timeout = Duration::from_mins(15);
        night.simulator.org(|org| org.session_timeout = timeout);
        let job = night.exec().await;
        assert_eq!(night.holders().await, (vec![], vec![job.pid()]));
        assert_eq!(night.holds().await, 0);
        for calls in 1..=3 {
            // Behind the half of the timeout, the margin, and what chance adds to it.
            night.clock.advance(timeout / 2 + timeout / 60);
            let sure = night.clock.now() + timeout / 2;
            loop {
                let record = night.describe().await;
                if record.guaranteed_until == Some(sure) {
                    break;
                }
            }
            assert_eq!(night.sent(), 2 + calls);
        }
        job.dies().await;
        night.finish().await;
    });
}

#[test]
fn before_linux_6_5_it_is_kept_for_no_longer_though_the_job_lives() {
    before_linux_6_5(async || {
        let night = Night::new().await;
        let job = night.exec().await;
        let mut peer = night.peer().await;
        assert_eq!(night.holders().await, (vec![], vec![peer.pid(), job.pid()]));
        // Of a session of two hours no call is due in the first half an hour, so nobody waits to make one.
        night.clock.advance(Duration::from_mins(63));
        for _ in 0..50 {
            night.describe().await;
            assert_eq!(night.sent(), 2);
        }
        // Who asks again gets it again.
        take(&mut peer).await;
        assert_eq!((night.sent(), night.holds().await), (3, 0));
        job.dies().await;
        night.finish().await;
    });
}
