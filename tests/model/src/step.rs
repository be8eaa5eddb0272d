//! Steps in words, for traces.

use core::fmt;

use crate::model::Step;
use crate::state::{Clock, Message, Reading};

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |at: &usize| if *at == 0 { "box A" } else { "the clone" };
        match self {
            Self::Tick => write!(f, "one tick passes"),
            Self::Freeze { at } => write!(f, "{} freezes", name(at)),
            Self::Thaw { at } => write!(f, "{} thaws", name(at)),
            Self::BothWrong { to } => {
                write!(f, "box A's REAL and the monitor's interval move alike, {to:+} from UTC")
            }
            Self::Crash { at } => write!(f, "the TSU of {} is killed and started again", name(at)),
            Self::MonitorCrash => write!(f, "the monitor is killed and started again"),
            Self::CloneRunning => write!(f, "a running clone of box A comes up"),
            Self::CloneDisk => {
                write!(f, "box A's state directory is copied and started on another box")
            }
            Self::Copy => write!(f, "box A is copied"),
            Self::RestoreRunning => write!(f, "box A goes on from its copy"),
            Self::RestoreDisk => write!(f, "box A's state directory is restored from its copy"),
            Self::Connect { at } => write!(f, "{} calls the monitor", name(at)),
            Self::Cut { at } => write!(f, "the connection of {} is cut", name(at)),
            Self::Probe => write!(f, "the monitor probes"),
            Self::Settle => write!(f, "the monitor settles the challenge"),
            Self::Revoke => write!(f, "the monitor revokes"),
            Self::Expire => write!(f, "the monitor counts the lease as over"),
            Self::Request { at, clock } => {
                write!(f, "{} takes a request and reads {clock}", name(at))
            }
            Self::BeginSample { at, clock } => {
                write!(f, "{} takes a request and reads RAW{:+}", name(at), clock.gain)
            }
            Self::GoOnSampling { at, clock } => write!(f, "{} reads {clock}", name(at)),
            Self::ReadLate { at, clock, .. } => {
                write!(f, "{} reads {clock} after its judgement", name(at))
            }
            Self::KeepSample { at, clock } => {
                write!(f, "{} reads {clock} and keeps that for later", name(at))
            }
            Self::ReadEarly => write!(f, "the monitor reads its clock before the next message"),
            Self::Release { at, .. } => write!(f, "{} releases what was signed", name(at)),
            Self::ToTsu { at, message, again, clock } => {
                write!(f, "{} gets {message}", name(at))?;
                if matches!(message, Message::Probe { .. }) {
                    write!(f, " and reads {clock}")?;
                }
                write!(f, "{}", copies(*again))
            }
            Self::ToMonitor { message, again, utc } => {
                write!(f, "the monitor gets {message}")?;
                match utc {
                    None => {}
                    Some(utc) => write!(f, " and has UTC{:+} +-{}", utc.shift, utc.half)?,
                }
                write!(f, "{}", copies(*again))
            }
        }
    }
}

const fn copies(again: bool) -> &'static str {
    if again { " (it may come again)" } else { "" }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RAW{:+} REAL=RAW{:+}", self.gain, self.offset)
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RAW {:+} REAL {:+} from now", self.raw, self.real())
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Probe { conn } => write!(f, "a probe on connection {conn}"),
            Self::Answer { conn, reading, ended } => {
                write!(f, "the answer ({reading}) on connection {conn}")?;
                if *ended > 0 { write!(f, ", lease {ended} ended") } else { Ok(()) }
            }
            Self::Grant { conn, seq, reading, .. } => {
                write!(f, "lease {seq} on ({reading}) on connection {conn}")
            }
            Self::Revoke { up_to, .. } => write!(f, "the revocation up to lease {up_to}"),
            Self::Revoked { up_to, .. } => write!(f, "the receipt for it, up to lease {up_to}"),
            Self::Intents { conn, lease, seq, gen_time, token, .. } => write!(
                f,
                "intent {seq} under lease {lease} on connection {conn} (serial {}.{}, genTime \
                 {gen_time:+} from now)",
                token.incarnation, token.counter
            ),
            Self::Confirm { seq, .. } => write!(f, "the confirmation of intent {seq}"),
            Self::Refuse { seq, .. } => write!(f, "the refusal of intent {seq}"),
        }
    }
}
