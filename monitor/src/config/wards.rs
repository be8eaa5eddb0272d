//! `[lease]`, `[[tsu]]` and `[[person]]`: who is watched, by what rules, and who may look.

use std::collections::BTreeSet;
use std::path::PathBuf;

use chronolease_core::budget::{Budget, WitnessBudget};
use chronolease_core::confirmation::WitnessLimits;
use chronolease_core::evidence::note::KeyName;
use chronolease_core::id::{SpkiPin, TsuId};
use chronolease_core::time::Bound;
use chronolease_net::config::Section;
use chronolease_net::profile;
use chronolease_net::recorder::ORIGIN;

use super::PublicEndpoint;
use crate::core::assessment::Limits;
use crate::core::authority::{Rearm, Rules};

const PIN: &str = "a SHA-256 in 64 hexadecimal digits";

/// A TSU with the keys that it may use on the link.
#[derive(Clone, Debug)]
pub struct Ward {
    /// The rules for its leases.
    pub rules: Rules,
    /// Its keys.
    pub pins: Vec<SpkiPin>,
    /// Its evidence key: an Ed25519 public key in PEM.
    pub evidence_key_file: PathBuf,
    /// The name of its evidence log.
    pub evidence_origin: KeyName,
    /// Where its clients ask it, if the monitor is to ask there too.
    pub public: Option<PublicEndpoint>,
}

/// What the figures of `[lease]` add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// Of a token under a lease alone.
    pub lease: Budget,
    /// Of one that is confirmed.
    pub witness: WitnessBudget,
}

/// A person who may use the admin listener.
#[derive(Clone, Debug)]
pub struct Person {
    /// Who it is.
    pub name: String,
    /// What the person may do; one role each (EN 319 401 REQ-7.2-13).
    pub role: Role,
    /// The person's keys.
    pub pins: Vec<SpkiPin>,
}

/// The trusted roles of EN 319 401 REQ-7.2-14.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// System operator.
    Operator,
    /// Security officer.
    Officer,
    /// System administrator.
    Administrator,
    /// System auditor.
    Auditor,
}

/// The TSUs, and the budget that holds for each of them.
pub(super) fn read(root: &Section<'_>) -> Option<(Vec<Ward>, Budgets)> {
    let (rules, budgets) = rules(&root.section("lease")).unzip();
    let (mut ids, mut pins_seen) = (BTreeSet::new(), BTreeSet::new());
    let mut origins = BTreeSet::new();
    let sections = root.sections("tsu");
    if sections.is_empty() {
        root.error("tsu", "at least one [[tsu]] is needed");
    }
    let read = |section: &Section<'_>| {
        let what = "a TSU id of a-z, 0-9, \"-\", \"_\" and \".\"";
        let id = section.parsed("id", what, TsuId::new);
        let policy = section.string("policy");
        let pins = pins(section, &mut pins_seen);
        let evidence_key_file = section.existing_file("evidence_key_file");
        let evidence_origin = section.parsed("evidence_origin", ORIGIN, KeyName::new);
        let public = PublicEndpoint::read(section);
        let id = id?;
        if !ids.insert(id.clone()) {
            section.error("id", format!("{id} is another TSU as well"));
        }
        let evidence_origin = evidence_origin?;
        if !origins.insert(evidence_origin.clone()) {
            let message = format!("{evidence_origin} is another TSU's log as well");
            section.error("evidence_origin", message);
        }
        let rules = rules.clone()?;
        Some(Ward {
            rules: Rules { tsu: id, policy: policy?, ..rules },
            pins: pins?,
            evidence_key_file: evidence_key_file?,
            evidence_origin,
            public: public?,
        })
    };
    let wards: Option<Vec<Ward>> =
        sections.iter().map(read).collect::<Vec<_>>().into_iter().collect();
    Some((wards?, budgets?))
}

pub(super) fn persons(root: &Section<'_>) -> Option<Vec<Person>> {
    let (mut names, mut pins_seen) = (BTreeSet::new(), BTreeSet::new());
    let roles = [
        ("operator", Role::Operator),
        ("officer", Role::Officer),
        ("administrator", Role::Administrator),
        ("auditor", Role::Auditor),
    ];
    let read = |section: &Section<'_>| {
        let name = section.string("name");
        let role = section.one_of("role", &roles);
        let pins = pins(section, &mut pins_seen);
        let name = name?;
        if !names.insert(name.clone()) {
            section.error("name", format!("{name:?} has a role already; one person, one role"));
        }
        Some(Person { name, role: role?, pins: pins? })
    };
    root.sections("person").iter().map(read).collect::<Vec<_>>().into_iter().collect()
}

fn pins(section: &Section<'_>, seen: &mut BTreeSet<SpkiPin>) -> Option<Vec<SpkiPin>> {
    let pins = section.parsed_list("spki_sha256", PIN, SpkiPin::from_hex)?;
    if pins.is_empty() {
        section.error("spki_sha256", "at least one key is needed");
    }
    for pin in &pins {
        if !seen.insert(*pin) {
            section.error("spki_sha256", format!("the key {pin} stands here twice or for another"));
        }
    }
    Some(pins)
}

/// The rules of a lease, with a TSU and a policy still to be filled in.
fn rules(lease: &Section<'_>) -> Option<(Rules, Budgets)> {
    let budget = profile::budget(lease);
    let witness = profile::witness(lease, budget.as_ref());
    let revoke_beyond = lease.duration_or("revoke_beyond", Bound::from_millis(250));
    let probe = lease.duration_or("probe", Bound::from_millis(1_000));
    let good_probes = lease.integer_or("good_probes", 1..=1_000, 5);
    let hold = lease.duration_or("hold", Bound::from_millis(10_000));
    let hold_latched = lease.duration_or("hold_latched", Bound::from_millis(60_000));
    let modes = [("automatic", Rearm::Automatic), ("two-persons", Rearm::TwoPersons)];
    let rearm = lease.one_of_or("rearm", &modes, Rearm::TwoPersons);

    let (budget, revoke_beyond, probe) = (budget?, revoke_beyond?, probe?);
    let (hold, hold_latched, witness) = (hold?, hold_latched?, witness?);
    if revoke_beyond <= budget.grant_within || revoke_beyond > budget.accuracy {
        let (least, most) = (budget.grant_within, budget.accuracy);
        let message = format!(
            "E_bad = {revoke_beyond} must lie above grant_within (E0 = {least}) and at most at the \
             accuracy of {most}"
        );
        lease.error("revoke_beyond", message);
    }
    if probe == Bound::ZERO || probe.times(2) > budget.ttl {
        let message = format!(
            "a lease of {} must outlast two probes, 2 * {probe} = {}, or one lost probe ends it",
            budget.ttl,
            probe.times(2)
        );
        lease.error("probe", message);
    }
    if hold_latched < hold {
        let message =
            format!("{hold_latched} after a latched cause is shorter than the hold of {hold}");
        lease.error("hold_latched", message);
    }
    let rules = Rules {
        tsu: TsuId::new("unnamed")?,
        policy: String::new(),
        limits: Limits {
            grant_within: budget.grant_within,
            revoke_beyond,
            bracket: budget.bracket,
            rho: budget.rho,
        },
        witness: WitnessLimits {
            accuracy: budget.accuracy,
            half_width_max: witness.half_width_max,
        },
        ttl: budget.ttl,
        probe,
        good_probes: u32::try_from(good_probes?).ok()?,
        hold,
        hold_latched,
        rearm: rearm?,
    };
    Some((rules, Budgets { lease: budget, witness }))
}
