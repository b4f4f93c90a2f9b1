//! Landlock on TCP: connections to the ports needed, and no listening at all. UDP, and so most of DNS, is beyond it.

use std::collections::BTreeSet;

use landlock::{
    AccessNet, CompatLevel, Compatible as _, NetPort, RestrictionStatus, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError,
};

use super::{Protection, landlock_outcome};

pub(super) const NAME: &str = "connections";

pub(super) fn confine(ports: &BTreeSet<u16>) -> Protection {
    let list: Vec<_> = ports.iter().map(u16::to_string).collect();
    let done = format!(
        "TCP goes to the ports {} only, and nothing listens",
        list.join(", ")
    );
    landlock_outcome(NAME, "6.7", done, restrict(ports))
}

fn restrict(ports: &BTreeSet<u16>) -> Result<RestrictionStatus, RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)?
        .create()?
        .add_rules(
            ports
                .iter()
                .map(|port| Ok::<_, RulesetError>(NetPort::new(*port, AccessNet::ConnectTcp))),
        )?
        .restrict_self()
}
