//! The end-to-end probe (design 5.11): at a slow pace the monitor asks a TSU's public endpoint for
//! a real token, as any client would, and compares its time with UTC.
//!
//! It shows what no other check does: that what leaves the box keeps the promise. A token whose time
//! is provably wrong breaks it, and so does one that is made while the TSU cannot hold a lease.

mod answer;
mod question;
mod time;

use chronolease_core::evidence::leaf::{EndToEnd as Leaf, EndToEndResult};
use chronolease_core::fusion::NoUtc;
use chronolease_core::id::{LeaseSeq, TsuId};
use chronolease_core::interval::Interval;
use chronolease_core::time::{Bound, Ppb, RawInstant, Timestamp, Utc};
use rasn::prelude::ObjectIdentifier;

use super::authority::Ward;
use super::leap::watch::Boundaries;
pub use answer::{Answer, Time, TokenCertificate, Unverifiable, read};
pub use question::{Question, RANDOM_BYTES, parse_oid};
pub use time::{Proof, Window};

/// What a probe goes by.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Who is asked.
    pub tsu: TsuId,
    /// The policy that is asked for.
    pub policy: ObjectIdentifier,
    /// What its tokens claim.
    pub accuracy: Bound,
    /// The oscillator error borne.
    pub rho: Ppb,
    /// From one question to the next.
    pub interval: Bound,
    /// The certificates that it may sign with.
    pub certificates: Vec<TokenCertificate>,
}

/// The number of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskId(u64);

#[cfg(test)]
impl AskId {
    /// Of no question.
    pub(crate) const fn test() -> Self {
        Self(u64::MAX)
    }
}

/// A question on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Its number.
    pub id: AskId,
    /// The TimeStampReq in DER.
    pub request: Vec<u8>,
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Of which question.
    pub id: AskId,
    /// The monitor's oscillator before the request was sent.
    pub asked: RawInstant,
    /// The monitor's oscillator after the answer was in, or was given up.
    pub answered: RawInstant,
    /// The body of the answer, or why there is none.
    pub body: Result<Vec<u8>, String>,
}

/// What the monitor knows when a reply is in.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Its oscillator.
    pub now: RawInstant,
    /// UTC - RAW as it holds at `now`.
    pub utc: Result<Interval, NoUtc>,
    /// Where the ends of months lie.
    pub boundaries: Boundaries,
}

/// The last result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it shows.
    pub result: EndToEndResult,
    /// When the answer was in.
    pub at: RawInstant,
    /// The token's time less UTC, if there was a token and UTC was known.
    pub error: Option<Interval>,
    /// More of it, in words.
    pub why: String,
}

/// The probe of one TSU. Pure: it says what to ask, and judges what comes back.
#[derive(Debug)]
pub struct EndToEnd {
    terms: Terms,
    due: RawInstant,
    next: u64,
    open: Option<Open>,
    last: Option<Found>,
}

#[derive(Debug)]
struct Open {
    id: AskId,
    question: Question,
    /// A lease that the TSU held for certain.
    held: Option<LeaseSeq>,
    /// The newest lease, and none could be alive.
    without: Option<LeaseSeq>,
}

impl EndToEnd {
    /// Asks for the first time one interval from `now`.
    #[must_use]
    pub fn new(terms: Terms, now: RawInstant) -> Self {
        let due = now.plus(terms.interval);
        Self { terms, due, next: 0, open: None, last: None }
    }

    /// The last result, if there was one.
    #[must_use]
    pub const fn last(&self) -> Option<&Found> {
        self.last.as_ref()
    }

    /// The next question, when it is due and the last one is answered.
    pub fn ask(
        &mut self,
        ward: &Ward,
        now: RawInstant,
        random: impl FnOnce() -> [u8; RANDOM_BYTES],
    ) -> Option<Ask> {
        if now < self.due || self.open.is_some() {
            return None;
        }
        self.due = now.plus(self.terms.interval);
        self.next += 1;
        let id = AskId(self.next);
        let question = Question::new(self.terms.policy.clone(), &random());
        let request = question.to_der();
        let (held, without) = (ward.held_lease(), ward.without_lease(now));
        self.open = Some(Open { id, question, held, without });
        Some(Ask { id, request })
    }

    /// Box B's own continuity broke: an answer to a question from before it proves nothing.
    pub fn broken(&mut self) {
        self.open = None;
    }

    /// Judges what came of a question: the leaf for the record. `None` when nobody waits for it.
    pub fn answered(&mut self, ward: &Ward, known: &Known, reply: Reply) -> Option<Leaf> {
        let open = self.open.take_if(|open| open.id == reply.id)?;
        let window = self.window(known, &reply);
        let without_lease =
            open.without.is_some_and(|last| ward.without_lease(known.now) == Some(last));
        let held = open.held.is_some_and(|lease| ward.covers(lease, known.now));
        let (result, error, why) = match &reply.body {
            Err(why) => (EndToEndResult::Unreachable, None, why.clone()),
            Ok(body) => match read(body, &open.question, &self.terms.certificates) {
                Err(why) => (EndToEndResult::Unverifiable, None, why.to_string()),
                Ok(Answer::TimeNotAvailable) if !held => {
                    (EndToEndResult::NoLease, None, String::new())
                }
                Ok(Answer::TimeNotAvailable) => {
                    let why = "it holds a lease, and says that it does not".to_owned();
                    (EndToEndResult::Refused, None, why)
                }
                Ok(Answer::Rejected(bits)) => {
                    (EndToEndResult::Refused, None, format!("failInfo {bits:?}"))
                }
                Ok(Answer::Token(time)) => self.judge(time, window.as_ref(), without_lease),
            },
        };
        let Reply { asked, answered, body, .. } = reply;
        self.last = Some(Found { result, at: answered, error, why });
        Some(Leaf {
            tsu: self.terms.tsu.clone(),
            asked,
            answered,
            judged_at: known.now,
            utc_minus_raw: window.map(|window| window.utc_minus_raw),
            without_lease,
            request: open.question.to_der(),
            response: body.ok(),
            result,
        })
    }

    /// `None` when UTC is not known, or is ambiguous around the end of a month.
    fn window(&self, known: &Known, reply: &Reply) -> Option<Window> {
        let window = Window {
            asked: reply.asked,
            answered: reply.answered,
            utc_minus_raw: known.utc.ok()?,
            now: known.now,
            rho: self.terms.rho,
        };
        let ambiguous = known.boundaries.crossing || known.boundaries.cover(window.span());
        (!ambiguous).then_some(window)
    }

    fn judge(
        &self,
        Time { gen_time, accuracy }: Time,
        window: Option<&Window>,
        without_lease: bool,
    ) -> (EndToEndResult, Option<Interval>, String) {
        let error = window.map(|window| window.error(gen_time));
        let proof = window.map(|window| window.judge(gen_time, accuracy));
        let other = accuracy != self.terms.accuracy;
        let result = match proof {
            Some(Proof::Wrong) => EndToEndResult::WrongTime,
            _ if without_lease => EndToEndResult::WithoutLease,
            _ if other => EndToEndResult::Unverifiable,
            Some(Proof::Right) => EndToEndResult::Good,
            Some(Proof::Neither) => EndToEndResult::Unclear,
            None => EndToEndResult::NoUtc,
        };
        let why = match error {
            _ if other => Unverifiable::Accuracy(Some(accuracy)).to_string(),
            Some(error) => format!("genTime - UTC is {} to {}", error.lo(), error.hi()),
            None => format!("genTime is {}", shown(gen_time)),
        };
        (result, error, why)
    }
}

fn shown(gen_time: Timestamp<Utc>) -> String {
    format!("{} ns since 1970", gen_time.as_unix_nanos())
}

#[cfg(test)]
mod tests;
