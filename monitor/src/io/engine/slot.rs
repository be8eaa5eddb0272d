//! A ward with what the engine needs to act for it.

mod logs;

use std::collections::HashMap;
use std::path::PathBuf;

use chronolease_core::evidence::TreeHead;
use chronolease_core::sample::Sample;
use chronolease_core::time::RawInstant;
use chronolease_core::wire::{LogOffer, ToTsu, Welcome};
use chronolease_net::{durable, random};
use tokio::sync::mpsc;
use tracing::{error, warn};

pub use logs::{Logs, Vouch};

use crate::core::authority::{ConnId, Event, Record, ShownLog, Ward};
use crate::core::end_to_end::EndToEnd;
use crate::io::end_to_end::Asker;

/// A ward with its file, its logs and its connections.
pub struct Slot {
    pub(super) ward: Ward,
    file: PathBuf,
    pub(super) logs: Logs,
    pub(super) connections: HashMap<ConnId, Connection>,
    /// The record on disk is older than the ward's.
    pub(super) dirty: bool,
    /// Its public endpoint, if it is asked there.
    pub(super) public: Option<Public>,
}

/// The public endpoint of a TSU.
pub(super) struct Public {
    pub(super) probe: EndToEnd,
    asker: Asker,
}

/// A connection that introduced itself.
#[derive(Debug)]
pub(super) struct Connection {
    outgoing: mpsc::Sender<ToTsu>,
    /// The newest tree of the monitor's that the TSU has vouched for.
    held: TreeHead,
}

impl Connection {
    pub(super) const fn new(outgoing: mpsc::Sender<ToTsu>, held: TreeHead) -> Self {
        Self { outgoing, held }
    }
}

impl Slot {
    /// A ward whose record lives in `file`.
    #[must_use]
    pub fn new(ward: Ward, file: PathBuf, logs: Logs) -> Self {
        Self { ward, file, logs, connections: HashMap::new(), dirty: false, public: None }
    }

    /// Judges the checkpoint of an answer on the connection that speaks for the TSU. A tree that
    /// continues all that was shown counts as shown, also when the monitor cannot vouch for it: the
    /// TSU's next proof starts there. Blocks on the disk.
    pub(super) fn vouch(
        &mut self,
        conn: ConnId,
        offer: LogOffer,
        now: &Sample,
    ) -> (Vouch, Option<ShownLog>) {
        let LogOffer { checkpoint, since_shown } = offer;
        let (ward, tsu) = (&self.ward, &self.ward.rules().tsu);
        let mut shown = None;
        let continues = |tree: &TreeHead| {
            ward.continues(conn, tree, &since_shown).inspect(|()| shown = Some(*tree))
        };
        let vouch = self.logs.vouch(tsu, conn, &checkpoint, now, continues);
        let vouched = matches!(vouch, Vouch::For(_));
        (vouch, shown.map(|tree| ShownLog { tree, since_shown, vouched }))
    }

    /// The TSU is asked for tokens at its public endpoint too.
    #[must_use]
    pub fn asking(self, probe: EndToEnd, asker: Asker) -> Self {
        Self { public: Some(Public { probe, asker }), ..self }
    }

    /// Asks for a token, if it is time to.
    pub(super) fn ask_for_token(&mut self, now: RawInstant) {
        let Some(Public { probe, asker }) = &mut self.public else { return };
        if let Some(ask) = probe.ask(&self.ward, now, random::bytes) {
            asker.ask(ask);
        }
    }

    /// A TSU that does not take its messages is cut off, and its ward told.
    pub(super) fn send(&mut self, conn: ConnId, message: ToTsu) -> Option<Event> {
        if self.connections.get(&conn)?.outgoing.try_send(message).is_ok() {
            return None;
        }
        warn!(tsu = %self.ward.rules().tsu, "the TSU takes no messages; closing its connection");
        Some(self.cut(conn))
    }

    /// Where messages to this connection go.
    pub(super) fn outgoing(&self, conn: ConnId) -> Option<mpsc::Sender<ToTsu>> {
        self.connections.get(&conn).map(|connection| connection.outgoing.clone())
    }

    /// Cuts a connection off. The ward must be told.
    pub(super) fn cut(&mut self, conn: ConnId) -> Event {
        self.connections.remove(&conn);
        Event::Closed { conn }
    }

    /// Welcomes the TSU: from here on checkpoints go both ways. Events for the ward.
    pub(super) fn admit(&mut self, conn: ConnId) -> Vec<Event> {
        let Some(connection) = self.connections.get(&conn) else { return Vec::new() };
        let broken = self.logs.admitted(&self.ward.rules().tsu, connection.held);
        let vouched = self.logs.held();
        let welcome = ToTsu::Welcome(Welcome { vouched, shown: self.ward.shown(vouched) });
        self.send(conn, welcome).into_iter().chain(broken).collect()
    }

    /// Sends the monitor's half of the exchange, when the last answer is owed one.
    pub(super) fn witness(&mut self, conn: ConnId) -> Option<Event> {
        let witnessed = self.logs.settle(conn)?;
        self.send(conn, ToTsu::Witnessed(witnessed))
    }

    /// Whether the record is durable now.
    pub(super) fn persist(&mut self, record: &Record) -> bool {
        let text = record.to_text();
        let written =
            tokio::task::block_in_place(|| durable::write_atomically(&self.file, text.as_bytes()));
        if let Err(failure) = &written
            && !self.dirty
        {
            let file = self.file.display();
            error!(tsu = %self.ward.rules().tsu, %file, %failure, "the state cannot be recorded");
        }
        self.dirty = written.is_err();
        written.is_ok()
    }
}
