//! Leap seconds: what is known of them, when issuing is suspended, and what really happened.
//!
//! A claim may only suspend, never step: nothing here moves a clock or corrects a reading. Around
//! a leap second that may come no token is issued, and what was measured on one side of it is not
//! used on the other. `docs/leap-seconds.md` tells the whole story.
//!
//! | module | what it holds |
//! |---|---|
//! | [`month_end`] | the ends of UTC months, where leap seconds can be |
//! | [`list`] | the parser of `leap-seconds.list` |
//! | [`claim`] | what everybody says about a month's end |
//! | [`plan`] | all of that put together: what is expected, and when to suspend |
//! | [`blackout`] | the seconds without tokens, and the samples that mean nothing |
//! | [`passage`] | what happened at the boundary, and when issuing may go on |
//! | [`smear`] | sources that spread a leap second instead of stepping |

use core::fmt;

pub mod blackout;
pub mod claim;
pub mod list;
pub mod month_end;
pub mod passage;
pub mod plan;
pub mod smear;

/// Which way a leap second goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeapSign {
    /// Positive: the month's last minute has 61 seconds, TAI - UTC grows by one.
    Insert,
    /// Negative: the month's last minute has 59 seconds, TAI - UTC shrinks by one.
    Delete,
}

impl LeapSign {
    /// By how many seconds TAI - UTC changes.
    #[must_use]
    pub const fn tai_minus_utc_change_s(self) -> i32 {
        match self {
            Self::Insert => 1,
            Self::Delete => -1,
        }
    }

    /// The sign of this change of TAI - UTC in seconds; `None` when it is not a leap of one second.
    #[must_use]
    pub const fn from_tai_minus_utc_change_s(change: i32) -> Option<Self> {
        match change {
            1 => Some(Self::Insert),
            -1 => Some(Self::Delete),
            _ => None,
        }
    }
}

impl fmt::Display for LeapSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Insert => "a positive leap second",
            Self::Delete => "a negative leap second",
        })
    }
}
