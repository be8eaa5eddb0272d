//! What is asked of a token that leaves.

use chronolease_core::evidence::merkle::Hash;
use chronolease_core::id::{Incarnation, LeaseSeq};
use chronolease_core::sample::Sample;
use rasn_cms::tsp::TstInfo;
use rasn_cms::{ContentInfo, SignedData};
use sha2::{Digest, Sha256};

use super::{OnRecord, Oracle, Token, key};
use crate::clock::{Instant, MS, Truth};
use crate::figures;

/// A token on its way to a client.
#[derive(Clone, Debug)]
pub struct Released {
    /// The box that releases it.
    pub host: usize,
    /// The run that does.
    pub incarnation: Incarnation,
    /// When its request was received.
    pub received: Instant,
    /// Leases up to this one were revoked, as its TSU has heard.
    pub heard_revoked: LeaseSeq,
    /// The reading with which that was decided.
    pub made: Sample,
    /// The turn in which that was.
    pub turn: u64,
    /// The token.
    pub der: Vec<u8>,
}

/// What a token says.
struct Says {
    gen_time: i64,
    serial: Vec<u8>,
    digest: Hash,
}

fn says(der: &[u8]) -> Option<Says> {
    let token: ContentInfo = rasn::der::decode(der).ok()?;
    let signed: SignedData = rasn::der::decode(token.content.as_bytes()).ok()?;
    let content = signed.encap_content_info.content?;
    let info: TstInfo = rasn::der::decode(&content).ok()?;
    Some(Says {
        gen_time: info.gen_time.timestamp_nanos_opt()?,
        serial: rasn::der::encode(&info.serial_number).ok()?,
        digest: Hash::from_bytes(Sha256::digest(&content).into()),
    })
}

/// A in nanoseconds.
pub(super) fn accuracy() -> i64 {
    i64::try_from(figures::ACCURACY.as_nanos()).unwrap_or(i64::MAX)
}

impl Oracle {
    /// A token leaves.
    pub fn released(&mut self, now: Instant, truth: &Truth, released: &Released) {
        self.counts.tokens += 1;
        let Some(says) = says(&released.der) else {
            return self.violation("token", now, "it does not parse".to_owned());
        };
        let (received, left) = (truth.utc(released.received), truth.utc(now));
        let off =
            (received.min(left) - says.gen_time).max(says.gen_time - received.max(left)).max(0);
        self.tightness.distance = self.tightness.distance.max(off);
        self.ask(off <= accuracy(), "P1", now, || {
            format!("genTime is {off} ns from every instant between request and token")
        });
        let other = self.serials.insert(says.serial, says.digest);
        self.ask(other.is_none_or(|other| other == says.digest), "P3", now, || {
            "two different tokens share a serial number".to_owned()
        });
        let Some(on_record) = self.boxes[released.host].intents.get(&says.digest).cloned() else {
            return self.violation("P5", now, "its intent is not on record".to_owned());
        };
        let lease = on_record.intent.lease;
        let heard = released.heard_revoked;
        self.ask(lease > heard, "P4", now, || {
            format!(
                "released under lease {lease}, and the TSU heard that all up to {heard} are dead"
            )
        });
        let Some(read_at) = self.judge_reading(now, released, says.gen_time, &on_record) else {
            return;
        };
        self.judge_watched(now, released, &on_record);
        let decided_at =
            if self.leased { None } else { self.judge_witness(now, released, &on_record) };
        self.judge_ends(now, lease, read_at);
        let Released { host, incarnation, .. } = *released;
        self.tokens.push(Token { host, incarnation, lease, read_at, decided_at });
    }

    /// P2: the time was read after the request was in, and it was right where the guard can tell.
    fn judge_reading(
        &mut self,
        now: Instant,
        released: &Released,
        gen_time: i64,
        on_record: &OnRecord,
    ) -> Option<Instant> {
        let sample = &on_record.intent.sample;
        let Some(read_at) = self.reads.get(&key(released.host, sample)).copied() else {
            self.violation("P2", now, "its sample was never read on this box".to_owned());
            return None;
        };
        self.ask(read_at >= released.received, "P2", now, || {
            let early = released.received - read_at;
            format!("its clock was read {early} ns before the request was in")
        });
        // A lease may be older than the lie about the clocks, and the lie older than the reading.
        if self.lied.is_none() {
            let off = gen_time - self.truth.utc(read_at);
            self.tightness.reading = self.tightness.reading.max(off.abs());
            self.ask(off.abs() <= accuracy(), "P2", now, || {
                format!("genTime is {off} ns from UTC when its clock was read")
            });
        }
        Some(read_at)
    }

    /// P5: the monitor's word is on record on both boxes, and about this token.
    fn judge_witness(
        &mut self,
        now: Instant,
        released: &Released,
        on_record: &OnRecord,
    ) -> Option<Instant> {
        let there = &self.boxes[released.host];
        let gen_time = on_record.intent.gen_time;
        let fits = |c: &&chronolease_core::confirmation::Confirmation| {
            let times = c.batch.gen_times;
            c.incarnation == released.incarnation
                && c.batch.lease == on_record.intent.lease
                && (times.min()..=times.max()).contains(&gen_time)
                && on_record.place < c.log.size.as_u64()
        };
        let here = there.confirmations.get(&on_record.root).into_iter().flatten().find(fits);
        let Some(here) = here.cloned() else {
            self.violation("P5", now, "no confirmation of it is on record on box A".to_owned());
            return None;
        };
        let both = self.boxes[0].confirmations.get(&on_record.root);
        let both = both.is_some_and(|all| all.contains(&here));
        self.ask(both, "P5", now, || "the confirmation of it is not on record on box B".to_owned());
        let decided_at = self.decided.get(&on_record.root).copied();
        let heard_at = self.heard.get(&(released.host, on_record.root)).copied();
        let made_at = self.reads.get(&key(released.host, &released.made)).copied();
        // Frozen clocks see no age.
        if let (Some(heard_at), Some(made_at), None) = (heard_at, made_at, self.lied) {
            let age = made_at - heard_at;
            self.tightness.confirmation_age = self.tightness.confirmation_age.max(age);
            self.ask(age <= 3_001 * MS, "confirmation age", now, || {
                format!("its confirmation came {age} ns ago")
            });
        }
        decided_at
    }

    /// P4, leased: nothing of an ended lease beyond its time. Witnessed, the decision counts; see
    /// [`Oracle::decided`].
    fn judge_ends(&mut self, now: Instant, lease: LeaseSeq, read_at: Instant) {
        if !self.leased {
            return;
        }
        let grace = figures::RHO.stretch(figures::TTL).as_nanos();
        let grace = i64::try_from(grace).unwrap_or(i64::MAX);
        let late = self.ends.iter().find(|end| lease <= end.up_to && read_at > end.at + grace);
        let late = late.map(|end| (end.cause, read_at - end.at));
        self.ask(late.is_none(), "P4", now, || {
            format!("its clock was read when its lease had ended: {late:?}")
        });
    }
}
