//! What happened, in numbers.

/// What happened, for people to see that something did.
#[derive(Debug, Default)]
pub(in super::super) struct Figures {
    pub(super) hours: u64,
    pub(super) steps: u64,
    pub(super) sessions: u64,
    pub(super) logins: u64,
    pub(super) proofs: u64,
    pub(super) reports: u64,
    pub(super) refused_to_callers: u64,
    pub(super) rejections_told: u64,
    pub(super) throttled: u64,
    pub(super) sessions_ended: u64,
    pub(super) passwords_changed: u64,
    pub(super) credentials_set: u64,
    pub(super) outages: u64,
    pub(super) rate_limits: u64,
    pub(super) kills: u64,
    pub(super) power_cuts: u64,
    pub(super) cut_mid_login: u64,
    pub(super) restarts_without_a_login: u64,
    pub(super) disk_faults: u64,
    pub(super) clock_jumps: u64,
    pub(super) suspends: u64,
    /// Past their guarantee, because the daemon's clock had jumped.
    pub(super) served_late: u64,
}

impl Figures {
    pub(in super::super) fn add(&mut self, other: &Self) {
        let Self {
            hours,
            steps,
            sessions,
            logins,
            proofs,
            reports,
            refused_to_callers,
            rejections_told,
            throttled,
            sessions_ended,
            passwords_changed,
            credentials_set,
            outages,
            rate_limits,
            kills,
            power_cuts,
            cut_mid_login,
            restarts_without_a_login,
            disk_faults,
            clock_jumps,
            suspends,
            served_late,
        } = other;
        self.hours += hours;
        self.steps += steps;
        self.sessions += sessions;
        self.logins += logins;
        self.proofs += proofs;
        self.reports += reports;
        self.refused_to_callers += refused_to_callers;
        self.rejections_told += rejections_told;
        self.throttled += throttled;
        self.sessions_ended += sessions_ended;
        self.passwords_changed += passwords_changed;
        self.credentials_set += credentials_set;
        self.outages += outages;
        self.rate_limits += rate_limits;
        self.kills += kills;
        self.power_cuts += power_cuts;
        self.cut_mid_login += cut_mid_login;
        self.restarts_without_a_login += restarts_without_a_login;
        self.disk_faults += disk_faults;
        self.clock_jumps += clock_jumps;
        self.suspends += suspends;
        self.served_late += served_late;
    }

    /// A simulation in which nothing happens finds nothing.
    pub(in super::super) fn assert_busy(&self) {
        for happened in [
            self.sessions,
            self.logins,
            self.reports,
            self.rejections_told,
            self.outages,
            self.kills,
            self.power_cuts,
            self.cut_mid_login,
            self.restarts_without_a_login,
            self.disk_faults,
            self.clock_jumps,
            self.suspends,
            self.served_late,
        ] {
            assert!(happened > 3, "{self:#?}");
        }
    }
}
