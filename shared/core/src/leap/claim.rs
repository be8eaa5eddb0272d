//! What everybody says about the end of a month.

use core::fmt;

use super::LeapSign;
use super::month_end::MonthEnd;

/// What an operator enters from IERS Bulletin C, which comes out every six months and also says
/// when there is no leap second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulletinC {
    /// Its number.
    pub number: u16,
    /// The month's end that it is about.
    pub about: MonthEnd,
    /// The leap second that it announces, if it announces one.
    pub says: Option<LeapSign>,
}

/// What the leap indicators of one laboratory's servers announce for the end of this month
/// (RFC 5905 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announced {
    /// No server announces anything.
    Nothing,
    /// At least one server announces this, and none the opposite.
    Leap(LeapSign),
    /// Its servers contradict each other.
    Both,
}

impl Announced {
    /// The laboratory's word, from those of its servers. One that announces is enough: while a
    /// leap second is being announced some servers learn of it later, and a claim only suspends.
    #[must_use]
    pub fn by(servers: impl IntoIterator<Item = Option<LeapSign>>) -> Self {
        servers.into_iter().flatten().fold(Self::Nothing, |so_far, sign| match so_far {
            Self::Nothing => Self::Leap(sign),
            Self::Leap(same) if same == sign => so_far,
            Self::Leap(_) | Self::Both => Self::Both,
        })
    }

    /// Whether it announces a leap second of this sign.
    #[must_use]
    pub fn claims(self, sign: LeapSign) -> bool {
        self == Self::Leap(sign) || self == Self::Both
    }
}

/// What one laboratory announces. Only laboratories with a usable sample are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupVote {
    /// The laboratory's name.
    pub group: String,
    /// What it announces.
    pub announced: Announced,
}

/// What the kernel of one box is set to do (adjtimex). It acts at the end of the present UTC day,
/// whatever day that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelLeap {
    /// Whose kernel: `monitor`, or the id of a TSU.
    pub owner: String,
    /// `STA_INS` or `STA_DEL`.
    pub armed: Option<LeapSign>,
    /// TAI - UTC as the kernel has it; 0 when nobody has told it.
    pub tai_minus_utc_s: i32,
}

/// Who says something about a month's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimant {
    /// The list of leap seconds.
    List,
    /// Bulletin C of this number.
    Bulletin(u16),
    /// More laboratories than may lie.
    Groups(Vec<String>),
    /// The kernel of a box.
    Kernel(String),
}

impl fmt::Display for Claimant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List => f.write_str("the list"),
            Self::Bulletin(number) => write!(f, "Bulletin C {number}"),
            Self::Groups(names) => write!(f, "the laboratories {}", names.join(", ")),
            Self::Kernel(owner) => write!(f, "the kernel of {owner}"),
        }
    }
}

/// What somebody whose word counts says about a month's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who.
    pub by: Claimant,
    /// A leap second, or that there is none.
    pub says: Option<LeapSign>,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if matches!(self.by, Claimant::Groups(_)) { "say" } else { "says" };
        match self.says {
            Some(sign) => write!(f, "{} {verb} {sign}", self.by),
            None => write!(f, "{} {verb} none", self.by),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use LeapSign::{Delete, Insert};

    #[test]
    fn one_server_that_announces_speaks_for_its_laboratory() {
        assert_eq!(Announced::by([]), Announced::Nothing);
        assert_eq!(Announced::by([None, None]), Announced::Nothing);
        assert_eq!(Announced::by([None, Some(Insert), None]), Announced::Leap(Insert));
        assert_eq!(Announced::by([Some(Insert), Some(Insert)]), Announced::Leap(Insert));
        assert_eq!(Announced::by([Some(Delete), None, Some(Insert)]), Announced::Both);
        assert!(Announced::Both.claims(Insert) && Announced::Both.claims(Delete));
        assert!(!Announced::Leap(Insert).claims(Delete));
    }
}
