//! What the leaves of a log must agree on among themselves. Pure: leaves come in, findings come
//! out; no key is needed but the monitor's evidence key, if its signatures are to be checked.

mod finding;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use chronolease_core::clock_reader::Since;
use chronolease_core::evidence::LeafIndex;
use chronolease_core::evidence::leaf::{Event, Intent, IssuedToken, Leaf};
use chronolease_core::id::{Incarnation, LeaseSeq, Serial, TsuId};
use chronolease_core::judge::{Limits, Refusal, judge};
use chronolease_core::lease::{LeaseError, LeaseTerms, SignedLease};
use chronolease_core::time::GenTime;

use crate::kind::Kind;

pub use finding::{Fault, Finding};

/// Whether a signature (second) over a message (first) is the monitor's.
pub type Verify<'a> = &'a dyn Fn(&[u8], &[u8]) -> bool;

/// The audit of one log. Leaves are given to it from the first on and in order.
///
/// What leaves say of earlier ones is checked against all that came before, so the memory that it
/// takes grows with the number of tokens and leases.
pub struct Audit<'a> {
    limits: Limits,
    verify: Option<Verify<'a>>,
    counts: BTreeMap<Kind, u64>,
    run: Run,
    leases: HashMap<LeaseSeq, LeaseTerms>,
    newest_leases: HashMap<TsuId, LeaseSeq>,
    tokens: HashMap<Serial, Token>,
}

/// What holds from one start to the next.
#[derive(Default)]
struct Run {
    incarnation: Option<Incarnation>,
    latest: Option<(LeafIndex, GenTime)>,
}

/// The leaves that speak of a token.
struct Token {
    intent: LeafIndex,
    issued: Option<LeafIndex>,
}

impl<'a> Audit<'a> {
    /// Judges intents by `limits`. Without `verify`, leases are believed unsigned.
    #[must_use]
    pub fn new(limits: Limits, verify: Option<Verify<'a>>) -> Self {
        Self {
            limits,
            verify,
            counts: BTreeMap::new(),
            run: Run::default(),
            leases: HashMap::new(),
            newest_leases: HashMap::new(),
            tokens: HashMap::new(),
        }
    }

    /// What is wrong with the next leaf.
    pub fn leaf(&mut self, index: LeafIndex, bytes: &[u8]) -> Vec<Finding> {
        let leaf = Leaf::decode(bytes);
        let kind = leaf.as_ref().map_or(Kind::Unreadable, |leaf| Kind::of(&leaf.event));
        *self.counts.entry(kind).or_default() += 1;
        let faults = match leaf {
            Ok(leaf) => self.event(index, &leaf.event),
            Err(error) => vec![Fault::Unreadable(error)],
        };
        faults.into_iter().map(|fault| Finding { leaf: index, kind, fault }).collect()
    }

    /// How many leaves of each kind there were.
    #[must_use]
    pub fn counts(&self) -> &BTreeMap<Kind, u64> {
        &self.counts
    }

    fn event(&mut self, index: LeafIndex, event: &Event) -> Vec<Fault> {
        match event {
            Event::Started(started) => {
                self.run = Run { incarnation: started.incarnation, latest: None };
                Vec::new()
            }
            Event::LeaseGranted(lease) => self.lease(lease).err().into_iter().collect(),
            Event::Intent(intent) => self.intent(index, intent),
            Event::Issued(tokens) => {
                tokens.iter().filter_map(|token| self.issued(index, token).err()).collect()
            }
            Event::LeapChange(change) if !change.is_consistent() => {
                vec![Fault::LeapChange(change.end)]
            }
            Event::PpsChange(change) if !change.is_consistent() => {
                vec![Fault::PpsChange(change.to)]
            }
            // By themselves they contradict nothing.
            Event::Stopped
            | Event::ConfigDigest(_)
            | Event::LeaseEnded(_)
            | Event::Round(_)
            | Event::Verdict(_)
            | Event::PeerCheckpoint(_)
            | Event::TornTail(_)
            | Event::NewEpoch(_)
            | Event::Confirmed(_)
            | Event::PeerBroken(_)
            | Event::PeerEpoch(_)
            | Event::EndToEnd(_)
            | Event::KernelChange(_)
            | Event::SourceDoubt(_)
            | Event::LeapChange(_)
            | Event::PpsChange(_) => Vec::new(),
        }
    }

    /// A lease whose signature or terms are not sound permits nothing.
    fn lease(&mut self, lease: &SignedLease) -> Result<(), Fault> {
        let opened = lease
            .open(|message, signature| self.verify.is_none_or(|verify| verify(message, signature)));
        let terms = opened.map_err(|error| match error {
            LeaseError::Terms(error) => Fault::Terms(error),
            LeaseError::Signature => Fault::Signature,
        })?;
        let (tsu, sequence) = (terms.tsu.clone(), terms.sequence);
        self.leases.insert(sequence, terms);
        match self.newest_leases.get(&tsu) {
            Some(&before) if sequence <= before => Err(Fault::Sequence { tsu, sequence, before }),
            _ => {
                self.newest_leases.insert(tsu, sequence);
                Ok(())
            }
        }
    }

    fn intent(&mut self, index: LeafIndex, intent: &Intent) -> Vec<Fault> {
        let checks = [
            self.serial(index, intent.serial),
            self.gen_time(index, intent),
            self.judge_again(intent).map_err(|refusal| Fault::Judged(intent.lease, refusal)),
            self.run.incarnation.map(|_| ()).ok_or(Fault::NoRun),
        ];
        checks.into_iter().filter_map(Result::err).collect()
    }

    fn serial(&mut self, index: LeafIndex, serial: Serial) -> Result<(), Fault> {
        match self.tokens.entry(serial) {
            Entry::Occupied(token) => Err(Fault::Serial { serial, first: token.get().intent }),
            Entry::Vacant(place) => {
                place.insert(Token { intent: index, issued: None });
                Ok(())
            }
        }
    }

    fn gen_time(&mut self, index: LeafIndex, intent: &Intent) -> Result<(), Fault> {
        let stated = intent.gen_time;
        let latest = self.run.latest.filter(|(_, latest)| stated < *latest);
        if latest.is_none() {
            self.run.latest = Some((index, stated));
        }
        let read = GenTime::at(intent.sample.real, self.limits.digits);
        if stated != read {
            return Err(Fault::GenTime { stated, read });
        }
        latest.map_or(Ok(()), |(by, latest)| Err(Fault::Regressed { stated, latest, by }))
    }

    /// Whether a token may be built from the sample under the lease. Whether genTime goes back is
    /// another check; what the clock reader said at that instant is on no record.
    fn judge_again(&self, intent: &Intent) -> Result<(), Refusal> {
        let terms = self.leases.get(&intent.lease).ok_or(Refusal::NoLease)?;
        // Without a run there is a finding already; the rest of the judgement is worth having.
        let incarnation = self.run.incarnation.unwrap_or(terms.incarnation);
        judge(&intent.sample, Since::Alive, incarnation, terms, &self.limits, None).map(drop)
    }

    fn issued(&mut self, index: LeafIndex, token: &IssuedToken) -> Result<(), Fault> {
        let serial = token.serial;
        let known = self.tokens.get_mut(&serial).ok_or(Fault::NoIntent(serial))?;
        match known.issued.replace(index) {
            None => Ok(()),
            Some(first) => Err(Fault::IssuedTwice { serial, first }),
        }
    }
}

#[cfg(test)]
mod tests;
