//! The grammar of a round.

use rasn::prelude::*;

use super::super::round as leaf;
use super::{Interval, tsu_id};
use crate::fusion::{Agreement, Faults, NoUtc};
use crate::time;
use crate::wire::WireError;

/// `Round ::= SEQUENCE { faults, sources SEQUENCE OF SourceReading, utc, authenticatedOnly [3] NULL
/// OPTIONAL, estimate [4] Estimate OPTIONAL, drifts [5] SEQUENCE OF Drift OPTIONAL }`
#[derive(AsnType, Encode, Decode)]
pub(super) struct Round {
    faults: u32,
    sources: SequenceOf<SourceReading>,
    utc: Utc,
    #[rasn(tag(3))]
    authenticated_only: Option<()>,
    #[rasn(tag(4))]
    estimate: Option<Estimate>,
    #[rasn(tag(5))]
    drifts: Option<SequenceOf<Drift>>,
}

/// `SourceReading ::= SEQUENCE { name, group, state, interval [0] OPTIONAL, authenticated [1] NULL
/// OPTIONAL, reason [2] Reason OPTIONAL }`
#[derive(AsnType, Encode, Decode)]
struct SourceReading {
    name: Utf8String,
    group: Utf8String,
    state: u8,
    #[rasn(tag(0))]
    interval: Option<Interval>,
    #[rasn(tag(1))]
    authenticated: Option<()>,
    #[rasn(tag(2))]
    reason: Option<Reason>,
}

/// `Reason ::= SEQUENCE { word, detail }`
#[derive(AsnType, Encode, Decode)]
struct Reason {
    word: Utf8String,
    detail: Utf8String,
}

/// `Estimate ::= SEQUENCE { interval, groups }`
#[derive(AsnType, Encode, Decode)]
struct Estimate {
    interval: Interval,
    groups: u32,
}

/// `Drift ::= SEQUENCE { tsu [0] OPTIONAL, rate [1] Rate OPTIONAL, stepped }`
#[derive(AsnType, Encode, Decode)]
struct Drift {
    #[rasn(tag(0))]
    tsu: Option<Utf8String>,
    #[rasn(tag(1))]
    rate: Option<Rate>,
    stepped: u64,
}

/// `Rate ::= SEQUENCE { loPpb, hiPpb }`
#[derive(AsnType, Encode, Decode)]
struct Rate {
    lo_ppb: i64,
    hi_ppb: i64,
}

/// `Utc ::= CHOICE { known [0], quorumLost [1], noConsensus [2] }`
#[derive(AsnType, Encode, Decode)]
#[rasn(choice, automatic_tags)]
enum Utc {
    Known(Interval),
    QuorumLost(QuorumLost),
    NoConsensus(NoConsensus),
}

/// `QuorumLost ::= SEQUENCE { usable, required }`
#[derive(AsnType, Encode, Decode)]
struct QuorumLost {
    usable: u32,
    required: u32,
}

/// `NoConsensus ::= SEQUENCE { usable, best, required }`
#[derive(AsnType, Encode, Decode)]
struct NoConsensus {
    usable: u32,
    best: u32,
    required: u32,
}

/// Counts of laboratories; there are never more than a configuration can name.
fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn size(n: u32) -> Result<usize, WireError> {
    usize::try_from(n).map_err(|_| WireError::Range("count"))
}

impl From<&leaf::Round> for Round {
    fn from(round: &leaf::Round) -> Self {
        let source = |source: &leaf::SourceReading| SourceReading {
            name: source.name.clone(),
            group: source.group.clone(),
            state: source.state.code(),
            interval: source.interval.map(Into::into),
            authenticated: source.authenticated.then_some(()),
            reason: source
                .reason
                .as_ref()
                .map(|reason| Reason { word: reason.word.clone(), detail: reason.detail.clone() }),
        };
        Self {
            faults: count(round.faults.0),
            sources: round.sources.iter().map(source).collect(),
            utc: match round.utc {
                Ok(interval) => Utc::Known(interval.into()),
                Err(NoUtc::QuorumLost { usable, required }) => {
                    Utc::QuorumLost(QuorumLost { usable: count(usable), required: count(required) })
                }
                Err(NoUtc::NoConsensus { usable, best, required }) => {
                    Utc::NoConsensus(NoConsensus {
                        usable: count(usable),
                        best: count(best),
                        required: count(required),
                    })
                }
            },
            authenticated_only: round.authenticated_only.then_some(()),
            estimate: round.estimate.map(|estimate| Estimate {
                interval: estimate.interval.into(),
                groups: count(estimate.votes),
            }),
            drifts: (!round.drifts.is_empty())
                .then(|| round.drifts.iter().map(Drift::from).collect()),
        }
    }
}

impl TryFrom<Round> for leaf::Round {
    type Error = WireError;
    fn try_from(round: Round) -> Result<Self, WireError> {
        let source = |source: SourceReading| {
            let state = leaf::SourceState::from_code(source.state);
            Ok(leaf::SourceReading {
                name: source.name,
                group: source.group,
                state: state.ok_or(WireError::Range("state"))?,
                interval: source.interval.map(TryInto::try_into).transpose()?,
                authenticated: source.authenticated.is_some(),
                reason: source
                    .reason
                    .map(|reason| leaf::SourceReason { word: reason.word, detail: reason.detail }),
            })
        };
        Ok(Self {
            faults: Faults(size(round.faults)?),
            sources: round.sources.into_iter().map(source).collect::<Result<_, WireError>>()?,
            authenticated_only: round.authenticated_only.is_some(),
            estimate: round.estimate.map(TryInto::try_into).transpose()?,
            drifts: match round.drifts {
                None => Vec::new(),
                // Two forms of one meaning.
                Some(drifts) if drifts.is_empty() => return Err(WireError::Range("drifts")),
                Some(drifts) => {
                    drifts.into_iter().map(TryInto::try_into).collect::<Result<_, WireError>>()?
                }
            },
            utc: match round.utc {
                Utc::Known(interval) => Ok(interval.try_into()?),
                Utc::QuorumLost(QuorumLost { usable, required }) => {
                    Err(NoUtc::QuorumLost { usable: size(usable)?, required: size(required)? })
                }
                Utc::NoConsensus(NoConsensus { usable, best, required }) => {
                    Err(NoUtc::NoConsensus {
                        usable: size(usable)?,
                        best: size(best)?,
                        required: size(required)?,
                    })
                }
            },
        })
    }
}

impl TryFrom<Estimate> for Agreement {
    type Error = WireError;
    fn try_from(estimate: Estimate) -> Result<Self, WireError> {
        Ok(Self { interval: estimate.interval.try_into()?, votes: size(estimate.groups)? })
    }
}

impl From<&leaf::Drift> for Drift {
    fn from(drift: &leaf::Drift) -> Self {
        Self {
            tsu: drift.tsu.as_ref().map(ToString::to_string),
            rate: drift.rate.map(|rate| Rate { lo_ppb: rate.lo_ppb, hi_ppb: rate.hi_ppb }),
            stepped: drift.stepped.as_nanos(),
        }
    }
}

impl TryFrom<Drift> for leaf::Drift {
    type Error = WireError;
    fn try_from(drift: Drift) -> Result<Self, WireError> {
        let rate = |it: Rate| {
            let rate = time::Rate { lo_ppb: it.lo_ppb, hi_ppb: it.hi_ppb };
            if rate.lo_ppb <= rate.hi_ppb { Ok(rate) } else { Err(WireError::Range("rate")) }
        };
        Ok(Self {
            tsu: drift.tsu.map(|tsu| tsu_id(&tsu)).transpose()?,
            rate: drift.rate.map(rate).transpose()?,
            stepped: time::Bound::from_nanos(drift.stepped),
        })
    }
}
