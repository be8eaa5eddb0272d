//! What comes to the engine.

use chronolease_core::time::RawInstant;
use chronolease_core::wire::{Confirm, ProbeAnswer, ToTsu};
use tokio::sync::mpsc;

use crate::core::authority::{ConnId, Event};
use crate::core::end_to_end::Reply;
use crate::core::ntp::comparison::Comparison;
use crate::core::sources::Report;

/// Something that the engine takes in one turn.
#[derive(Debug)]
pub enum Input {
    /// A source was polled.
    Polled(Report),
    /// A plain source was asked by two implementations.
    SecondOpinion {
        /// Its position in the configured list.
        source: usize,
        /// What came of it; nothing when one of the two had no answer.
        comparison: Option<Comparison>,
    },
    /// A TSU introduced itself.
    Connected {
        /// Which.
        ward: usize,
        /// [`Event::Connected`].
        event: Event,
        /// Where messages to it go.
        outgoing: mpsc::Sender<ToTsu>,
    },
    /// A TSU answered a probe.
    Answered {
        /// Which.
        ward: usize,
        /// The connection.
        conn: ConnId,
        /// The answer.
        answer: ProbeAnswer,
        /// The monitor's oscillator, read when the answer was in.
        received: RawInstant,
    },
    /// A TSU asks whether a batch may be released.
    Confirm {
        /// Which.
        ward: usize,
        /// The connection.
        conn: ConnId,
        /// The batch and the log.
        confirm: Confirm,
    },
    /// A TSU cosigned the monitor's checkpoint.
    Cosigned {
        /// Which.
        ward: usize,
        /// The connection.
        conn: ConnId,
        /// The line of a signed note.
        line: String,
    },
    /// What came of asking a TSU's public endpoint for a token.
    EndToEnd {
        /// Which.
        ward: usize,
        /// What.
        reply: Reply,
    },
    /// Something else came over a TSU's connection.
    Link {
        /// Which.
        ward: usize,
        /// What.
        event: Event,
    },
}
