//! The names of the kinds of leaves.

use core::fmt;

use chronolease_core::evidence::leaf::Event;
use clap::ValueEnum;
use clap::builder::PossibleValue;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $label:literal;)+) => {
        /// What a leaf records, without its content.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[$doc])* $name,)+
            /// No leaf that this version knows.
            Unreadable,
        }

        impl Kind {
            /// All kinds, in the order of their tags.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+ Self::Unreadable];

            /// The name, as `--kind` takes it and both outputs print it.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)+ Self::Unreadable => "unreadable" }
            }

            /// The kind of an event.
            #[must_use]
            pub const fn of(event: &Event) -> Self {
                match event { $(Event::$name { .. } => Self::$name,)+ }
            }
        }
    };
}

kinds! {
    /// A daemon started.
    Started = "started";
    /// A daemon stopped in good order.
    Stopped = "stopped";
    /// A configuration took effect.
    ConfigDigest = "config-digest";
    /// A lease was granted or renewed, or received.
    LeaseGranted = "lease-granted";
    /// A lease ended before its successor came.
    LeaseEnded = "lease-ended";
    /// What the monitor's sources say.
    Round = "round";
    /// The monitor judged an answer to a probe.
    Verdict = "verdict";
    /// A token is about to be signed.
    Intent = "intent";
    /// Tokens were released.
    Issued = "issued";
    /// The newest checkpoint of the other box.
    PeerCheckpoint = "peer-checkpoint";
    /// Garbage was cut off on opening the log.
    TornTail = "torn-tail";
    /// This log succeeds another.
    NewEpoch = "new-epoch";
    /// The monitor confirmed a batch.
    Confirmed = "confirmed";
    /// The other box's log is no continuation of what was vouched for.
    PeerBroken = "peer-broken";
    /// From here on this box vouches for another log of its peer.
    PeerEpoch = "peer-epoch";
    /// The monitor passed a boundary at which a leap second was possible.
    LeapChange = "leap-change";
    /// Something speaks against a source.
    SourceDoubt = "source-doubt";
    /// The state of the monitor's pulse-per-second signal changed.
    PpsChange = "pps-change";
    /// The monitor asked the TSU's public endpoint for a token.
    EndToEnd = "end-to-end";
    /// What the clock reader of a box says changed.
    KernelChange = "kernel-change";
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

impl ValueEnum for Kind {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.label()))
    }
}
