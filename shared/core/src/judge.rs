//! The judge: may a token be built from this sample under this lease?
//!
//! Sample first, judge afterwards. A pause between "check the lease" and "read the clock" would
//! falsify a token; a pause after the reading only delays it. So the judge takes a sample that was
//! already read, and a token is built from that very sample.

use crate::broken::{Condition, kept};
use crate::clock_reader::{Lost, Since};
use crate::id::{BootId, Incarnation, LeaseSeq};
use crate::leap::blackout::Blackout;
use crate::lease::{EndingCause, LeaseTerms};
use crate::sample::Sample;
use crate::time::{Bound, GenTime, GenTimeDigits, Span, Timestamp, Utc};

/// What the judge tolerates; see [`crate::budget`] for how these add up to the accuracy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// G: how far `real - raw` may move from the lease's sample.
    pub guard: Bound,
    /// beta: the widest bracket of a sample.
    pub bracket: Bound,
    /// How finely tokens print their time.
    pub digits: GenTimeDigits,
}

/// Why no token may be built from a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no lease.
    #[error("no lease")]
    NoLease,
    /// The lease was granted on another boot.
    #[error("the lease is for boot {lease}, this is boot {now}")]
    OtherBoot {
        /// The boot the lease names.
        lease: BootId,
        /// The boot of the sample.
        now: BootId,
    },
    /// The lease was granted to another run of the TSU.
    #[error("the lease is for incarnation {lease}, this is {now}")]
    OtherIncarnation {
        /// The incarnation the lease names.
        lease: Incarnation,
        /// The incarnation that judges.
        now: Incarnation,
    },
    /// The oscillator ran backwards: within the sample, or since the lease's sample.
    #[error("the oscillator ran backwards")]
    RawRegressed,
    /// The process was paused while it sampled. Another sample may do.
    #[error("the sample's bracket is {bracket}, at most {limit} will do")]
    BracketTooWide {
        /// The bracket of the sample.
        bracket: Bound,
        /// beta.
        limit: Bound,
    },
    /// The lease has run out.
    #[error("the lease is {age} old and lasted {ttl}")]
    Expired {
        /// From the lease's sample to this one, on the oscillator.
        age: Bound,
        /// How long the lease lasts.
        ttl: Bound,
    },
    /// The box was suspended since the lease's sample.
    #[error("the box was suspended for {by} since the lease's sample")]
    Suspended {
        /// How far `BOOT - MONO` moved.
        by: Span,
    },
    /// The clock left the oscillator: a step, or a slew beyond the guard.
    #[error("the clock moved by {by} against the oscillator, at most {limit} will do")]
    ClockMoved {
        /// How far `real - raw` moved.
        by: Span,
        /// G.
        limit: Bound,
    },
    /// The kernel said that somebody set the clock since the lease's sample.
    #[error("the clock was set, by {by} against the oscillator")]
    ClockSet {
        /// How far `real - raw` moved over the newest notice.
        by: Span,
    },
    /// The hypervisor disrupted the box since the lease's sample.
    #[error("the hypervisor disrupted the box")]
    Disrupted,
    /// Nobody can tell whether the clock was set since the lease's sample.
    #[error("the clock was not watched without a gap: {0}")]
    Unwatched(Lost),
    /// The blackout that the lease names has begun, or may have: the lease ends where it begins.
    #[error("the clock shows {reading:?} within {bound}, and the blackout begins at {from:?}")]
    Blackout {
        /// What the clock shows, or showed by the oscillator.
        reading: Timestamp<Utc>,
        /// How far that may be from UTC.
        bound: Bound,
        /// The first reading of the blackout.
        from: Timestamp<Utc>,
    },
    /// An earlier token carries a later time. The time is refused, never bumped.
    #[error("genTime would go back from {high_water:?} to {now:?}")]
    GenTimeRegressed {
        /// The latest genTime used.
        high_water: GenTime,
        /// The genTime of this sample.
        now: GenTime,
    },
}

impl Refusal {
    /// Whether the sample, not the clock, is to blame, so that another sample may do.
    #[must_use]
    pub const fn is_worth_a_retry(self) -> bool {
        matches!(self, Self::BracketTooWide { .. })
    }

    /// The cause with which this refusal ends the lease at once, if it does: the clock itself was
    /// found out, so no later sample may be trusted either.
    #[must_use]
    pub const fn ends_lease(self) -> Option<EndingCause> {
        match self {
            Self::ClockMoved { .. } | Self::RawRegressed => Some(EndingCause::Step),
            Self::Suspended { .. } => Some(EndingCause::Suspend),
            Self::ClockSet { .. } => Some(EndingCause::StepNotice),
            Self::Disrupted => Some(EndingCause::Disrupted),
            Self::Unwatched(_) => Some(EndingCause::ReaderLost),
            Self::Blackout { .. } => Some(EndingCause::LeapSecond),
            Self::NoLease
            | Self::OtherBoot { .. }
            | Self::OtherIncarnation { .. }
            | Self::BracketTooWide { .. }
            | Self::Expired { .. }
            | Self::GenTimeRegressed { .. } => None,
        }
    }
}

/// A sample that passed the judge. Only [`judge`] makes one, so whoever holds one may build tokens
/// from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JudgedSample {
    sample: Sample,
    lease: LeaseSeq,
    gen_time: GenTime,
}

impl JudgedSample {
    /// The sample itself.
    #[must_use]
    pub const fn sample(&self) -> &Sample {
        &self.sample
    }

    /// The lease it was judged under.
    #[must_use]
    pub const fn lease(&self) -> LeaseSeq {
        self.lease
    }

    /// The genTime of every token built from it.
    #[must_use]
    pub const fn gen_time(&self) -> GenTime {
        self.gen_time
    }
}

/// Judges one sample (design 5.4). `since` is what the clock reader says of the time from the
/// lease's sample to this one.
///
/// # Errors
/// The first [`Refusal`] that applies.
pub fn judge(
    sample: &Sample,
    since: Since,
    incarnation: Incarnation,
    lease: &LeaseTerms,
    limits: &Limits,
    high_water: Option<GenTime>,
) -> Result<JudgedSample, Refusal> {
    let anchor = &lease.sample;
    if kept(Condition::SameBoot) && sample.boot_id != anchor.boot_id {
        return Err(Refusal::OtherBoot { lease: anchor.boot_id, now: sample.boot_id });
    }
    if kept(Condition::SameIncarnation) && incarnation != lease.incarnation {
        return Err(Refusal::OtherIncarnation { lease: lease.incarnation, now: incarnation });
    }
    let bracket = sample.bracket().ok_or(Refusal::RawRegressed)?;
    // Before the bracket: what is too old now stays too old, however the next sample is taken.
    judge_age(sample, lease)?;
    // First by the oscillator: a clock that leaps with UTC was not stepped by anybody.
    let ran = sample.raw_after - anchor.raw_before;
    judge_blackout(anchor.real + ran, lease, limits)?;
    let wide = kept(Condition::Bracket) && bracket > limits.bracket;
    if !wide {
        judge_continuity(sample, anchor, limits)?;
    }
    // However long the sample took: what the reader tells is no less true.
    judge_watch(since)?;
    if wide {
        return Err(Refusal::BracketTooWide { bracket, limit: limits.bracket });
    }
    judge_blackout(sample.real, lease, limits)?;

    let gen_time = GenTime::at(sample.real, limits.digits);
    let high_water = high_water.filter(|_| kept(Condition::HighWater));
    if let Some(high_water) = high_water.filter(|&high| gen_time < high) {
        return Err(Refusal::GenTimeRegressed { high_water, now: gen_time });
    }
    Ok(JudgedSample { sample: *sample, lease: lease.sequence, gen_time })
}

/// From the earliest instant the lease's sample may mean to the latest this one may mean.
fn judge_age(sample: &Sample, lease: &LeaseTerms) -> Result<(), Refusal> {
    if sample.raw_before < lease.sample.raw_before {
        return Err(Refusal::RawRegressed);
    }
    let age = (sample.raw_after - lease.sample.raw_before).magnitude();
    let expired = kept(Condition::Ttl) && age > lease.ttl;
    if expired { Err(Refusal::Expired { age, ttl: lease.ttl }) } else { Ok(()) }
}

/// A lease does not survive its blackout: what its sample proved is another second afterwards. So
/// nothing is judged good from the blackout's beginning on, not only until its end; nor what would
/// print a genTime from then on.
fn judge_blackout(
    reading: Timestamp<Utc>,
    lease: &LeaseTerms,
    limits: &Limits,
) -> Result<(), Refusal> {
    let Some(from) = lease.blackout.map(Blackout::from) else { return Ok(()) };
    let drift = lease.rho.over(lease.ttl) + limits.bracket.times(2);
    let bound = lease.clock_bound + limits.guard + drift + limits.digits.ahead();
    let latest = reading + bound.as_span();
    let begun = kept(Condition::LeaseBlackout) && latest >= from;
    if begun { Err(Refusal::Blackout { reading, bound, from }) } else { Ok(()) }
}

#[cfg(not(feature = "negative-control"))]
fn judge_continuity(sample: &Sample, anchor: &Sample, limits: &Limits) -> Result<(), Refusal> {
    // Each difference is exact to within its own sample's bracket.
    let slack = limits.bracket.times(2);
    let suspended = sample.boot_minus_mono - anchor.boot_minus_mono;
    if kept(Condition::Suspension) && suspended.magnitude() > slack {
        return Err(Refusal::Suspended { by: suspended });
    }
    let moved = sample.real_minus_raw() - anchor.real_minus_raw();
    if kept(Condition::Guard) && moved.magnitude() > limits.guard {
        return Err(Refusal::ClockMoved { by: moved, limit: limits.guard });
    }
    Ok(())
}

/// Whether the clock was watched without a gap and nobody touched it. A step within the guard shows
/// here alone.
///
/// # Errors
/// The [`Refusal`] that says what happened.
#[cfg(not(feature = "negative-control"))]
pub fn judge_watch(since: Since) -> Result<(), Refusal> {
    match since {
        Since::Alive => Ok(()),
        Since::Stepped(notice) if kept(Condition::Untouched) => {
            let by = notice.after.real_minus_raw() - notice.before.real_minus_raw();
            Err(Refusal::ClockSet { by })
        }
        Since::Disrupted if kept(Condition::Undisrupted) => Err(Refusal::Disrupted),
        Since::Lost(why) if kept(Condition::Watched) => Err(Refusal::Unwatched(why)),
        Since::Stepped(_) | Since::Disrupted | Since::Lost(_) => Ok(()),
    }
}

/// The negative control of the tests: nobody minds what happened to the clock.
///
/// # Errors
/// None.
#[cfg(feature = "negative-control")]
pub fn judge_watch(_: Since) -> Result<(), Refusal> {
    Ok(())
}

/// The negative control of the tests: a judge that sees neither steps nor slews, which must lead
/// to wrong tokens. Never part of a shipped build.
#[cfg(feature = "negative-control")]
fn judge_continuity(_: &Sample, _: &Sample, _: &Limits) -> Result<(), Refusal> {
    Ok(())
}

#[cfg(all(test, not(feature = "negative-control")))]
mod tests;
