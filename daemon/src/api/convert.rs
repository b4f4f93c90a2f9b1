//! Wire messages to domain types and back.

mod fields;
mod new_record;
mod problem;
mod record_status;
mod session;

use sfvault_proto::v1;

pub(super) use self::{
    fields::{duration, instant, login_host, record_name},
    new_record::{new_record, new_secrets},
    problem::Problem,
    record_status::{flow, record_status},
    session::{session, session_request, watch_request},
};
use crate::vault::LockState;

pub(super) fn lock_state(state: LockState) -> v1::VaultState {
    match state {
        LockState::Missing => v1::VaultState::Missing,
        LockState::Locked => v1::VaultState::Locked,
        LockState::Unlocked => v1::VaultState::Unlocked,
    }
}

pub(super) fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
