//! The plan in words, for the API and the log.

use core::fmt;

use super::super::LeapSign;
use super::super::month_end::date;
use super::{Expected, Finding, LeapPlan, ListStatus, Outlook, Reason, Severity};

impl fmt::Display for LeapPlan {
    /// A line for the list, one for each month's end that matters, one for each finding.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.", self.list)?;
        if let Some(seconds) = self.tai_minus_utc_s {
            write!(f, " TAI - UTC is {seconds} s.")?;
        }
        for expected in &self.expected {
            write!(f, "\n{expected}")?;
        }
        for finding in &self.findings {
            let severity = match finding.severity() {
                Severity::Warning => "Warning",
                Severity::Critical => "Critical",
            };
            write!(f, "\n{severity}: {finding}.")?;
        }
        Ok(())
    }
}

impl fmt::Display for Expected {
    /// As in `30 June 2027: unknown (nobody says). Issuing is suspended ...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let claims: Vec<String> = self.claims.iter().map(ToString::to_string).collect();
        let who = if claims.is_empty() { "nobody says".to_owned() } else { claims.join("; ") };
        write!(f, "{}: {} ({who}). ", self.end, self.outlook)?;
        match self.suspension {
            Some(reason) => write!(
                f,
                "Issuing is suspended from 23:59:58 to 00:00:02 UTC and until two full good \
                 rounds after: {reason}."
            ),
            None if self.outlook == Outlook::Disputed => {
                f.write_str("Issuing will be suspended unless this is settled an hour before.")
            }
            None => f.write_str("Issuing goes on."),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Listed => "the list has it",
            Self::Announced => "more laboratories announce it than may lie",
            Self::Claimed => "it is claimed and not contradicted",
            Self::Disputed => "the claims contradicted each other an hour before",
            Self::Unknown => {
                "the list is missing or expires before, and no Bulletin C speaks of it"
            }
        })
    }
}

impl fmt::Display for ListStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("The list of leap seconds is missing"),
            Self::Good { expires } => {
                write!(f, "The list of leap seconds is good until {}", date(*expires))
            }
            Self::ExpiresSoon { expires } => {
                write!(f, "The list of leap seconds expires soon, on {}", date(*expires))
            }
            Self::Expired { expires } => {
                write!(f, "The list of leap seconds expired on {}", date(*expires))
            }
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(status) => fmt::Display::fmt(status, f),
            Self::Disputed { end, claims } => {
                let claims: Vec<String> = claims.iter().map(ToString::to_string).collect();
                write!(f, "the claims about {end} contradict each other: {}", claims.join("; "))
            }
            Self::FalseLeap { end, groups } => {
                write!(f, "false leap second at {end}, announced by {} alone", groups.join(", "))
            }
            Self::OutOfSeason { end } => {
                write!(f, "a leap second is claimed for {end}, where none is expected")
            }
            Self::KernelTai { owner, kernel_s: 0, list_s } => {
                write!(f, "the kernel of {owner} does not know TAI - UTC, which is {list_s} s")
            }
            Self::KernelTai { owner, kernel_s, list_s } => {
                write!(f, "the kernel of {owner} has TAI - UTC = {kernel_s} s, the list {list_s} s")
            }
            Self::KernelOutOfSeason { owner, sign } => {
                let acts = match sign {
                    LeapSign::Insert => "insert",
                    LeapSign::Delete => "delete",
                };
                write!(f, "the kernel of {owner} will {acts} a second today, at no month's end")
            }
            Self::KernelNotArmed { owner, end } => {
                write!(f, "the kernel of {owner} is not set for the leap second at {end}")
            }
        }
    }
}
