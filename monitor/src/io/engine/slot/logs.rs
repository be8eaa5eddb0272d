//! Both boxes' logs, as the engine handles them for one ward: the monitor vouches for the TSU's,
//! and offers its own.

use chronolease_core::evidence::leaf::{self, PeerBroken};
use chronolease_core::evidence::offers::Broken;
use chronolease_core::evidence::{TreeHead, TreeSize};
use chronolease_core::id::TsuId;
use chronolease_core::lease::EndingCause;
use chronolease_core::sample::Sample;
use chronolease_core::wire::Witnessed;
use chronolease_net::exchange::{Offering, OwnLog, VouchError, Vouched, Vouching};
use tokio::task::{block_in_place, spawn_blocking};
use tracing::{error, warn};

use crate::core::authority::{ConnId, Event};

/// The logs of both boxes.
pub struct Logs {
    own: OwnLog,
    offering: Offering,
    vouching: Vouching,
    /// The cosignature that the last answer's connection is owed.
    owed: Option<(ConnId, String)>,
    /// A broken log is put on record once for each connection.
    told: Option<ConnId>,
    /// The monitor's own log does not continue what the TSU has vouched for.
    own_broken: Option<EndingCause>,
}

/// What became of the checkpoint in an answer.
#[derive(Debug)]
pub enum Vouch {
    /// The monitor vouches for it; the leaf goes on record.
    For(leaf::Event),
    /// It does not continue what was vouched for before. The leaf goes on record, if it is news.
    Broken(EndingCause, Option<leaf::Event>),
    /// It could not be written down.
    Unrecorded,
    /// It is none, or does not fit this connection.
    Refused,
}

impl Logs {
    /// `own` is the monitor's log, `vouching` stands for the TSU's.
    #[must_use]
    pub const fn new(own: OwnLog, offering: Offering, vouching: Vouching) -> Self {
        Self { own, offering, vouching, owed: None, told: None, own_broken: None }
    }

    /// The newest tree of the TSU's that the monitor has vouched for.
    #[must_use]
    pub fn held(&self) -> TreeHead {
        self.vouching.held()
    }

    /// How many leaves that tree has.
    #[must_use]
    pub fn vouched_size(&self) -> TreeSize {
        self.held().size
    }

    /// The TSU is admitted and holds this tree of the monitor's. What the ward must hear when the
    /// monitor's log does not continue it.
    pub(in crate::io::engine) fn admitted(&mut self, tsu: &TsuId, held: TreeHead) -> Option<Event> {
        self.owed = None;
        self.own_broken = None;
        let broken = self.offering.met(held).err()?;
        error!(%tsu, why = %broken, "the monitor's own evidence log does not continue what the \
               TSU has vouched for: no lease until the boxes are paired anew");
        let cause = match broken {
            Broken::RolledBack { .. } => EndingCause::Rollback,
            Broken::Forked { .. } => EndingCause::Fork,
        };
        self.own_broken = Some(cause);
        Some(Event::LogBroken { cause })
    }

    /// Judges the checkpoint of an answer on the connection that speaks for the TSU, which must
    /// continue by `shown` what the ward was shown. Blocks on the disk.
    pub(in crate::io::engine) fn vouch(
        &mut self,
        tsu: &TsuId,
        conn: ConnId,
        offer: &[u8],
        now: &Sample,
        shown: impl FnOnce(&TreeHead) -> Result<(), EndingCause>,
    ) -> Vouch {
        match block_in_place(|| self.vouching.take_if(offer, now, shown)) {
            Ok(Vouched { line, note, .. }) => {
                self.owed = Some((conn, line));
                let leaf = leaf::Event::PeerCheckpoint(note);
                match self.own_broken {
                    None => Vouch::For(leaf),
                    Some(cause) => Vouch::Broken(cause, Some(leaf)),
                }
            }
            Err(VouchError::Broken { record, why }) => {
                let PeerBroken { cause, .. } = record;
                let news = self.told.replace(conn) != Some(conn);
                if news {
                    error!(%tsu, %why, "the TSU's evidence log does not continue what the monitor \
                           knows of: no lease until it is paired anew");
                }
                Vouch::Broken(cause, news.then_some(leaf::Event::PeerBroken(record)))
            }
            Err(why @ VouchError::Disk(_)) => {
                error!(%tsu, %why, "no lease");
                Vouch::Unrecorded
            }
            Err(why @ VouchError::Offer(_)) => {
                warn!(%tsu, %why, "the TSU's checkpoint");
                Vouch::Refused
            }
        }
    }

    /// What is owed to this connection: the cosignature, and the monitor's own newest checkpoint.
    pub(in crate::io::engine) fn settle(&mut self, conn: ConnId) -> Option<Witnessed> {
        let (_, cosignature) = self.owed.take_if(|(owed, _)| *owed == conn)?;
        Some(Witnessed { cosignature, checkpoint: self.offering.offer().checkpoint })
    }

    /// The TSU cosigned an offer: it is kept for the next opening of the log. Whether it is one.
    pub(in crate::io::engine) fn cosigned(
        &mut self,
        tsu: &TsuId,
        line: &str,
        now: &Sample,
    ) -> bool {
        match self.offering.cosigned(line) {
            Ok(note) => {
                let (own, now) = (self.own.clone(), *now);
                spawn_blocking(move || {
                    if let Err(why) = own.keep(&note, &now) {
                        // The TSU has it all the same.
                        warn!(%why, "the newest checkpoint cannot be kept");
                    }
                });
                true
            }
            Err(why) => {
                warn!(%tsu, %why, "the TSU's cosignature");
                false
            }
        }
    }
}
