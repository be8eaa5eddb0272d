//! A ward with what the engine needs to act for it.

use std::collections::HashMap;
use std::path::PathBuf;

use chronolease_core::wire::ToTsu;
use chronolease_net::durable;
use tokio::sync::mpsc;
use tracing::{error, warn};

use crate::core::authority::{ConnId, Event, Record, Ward};

/// A ward with its file and its connections.
#[derive(Debug)]
pub struct Slot {
    pub(super) ward: Ward,
    file: PathBuf,
    pub(super) connections: HashMap<ConnId, mpsc::Sender<ToTsu>>,
    /// The record on disk is older than the ward's.
    pub(super) dirty: bool,
}

impl Slot {
    /// A ward whose record lives in `file`.
    #[must_use]
    pub fn new(ward: Ward, file: PathBuf) -> Self {
        Self { ward, file, connections: HashMap::new(), dirty: false }
    }

    /// A TSU that does not take its messages is cut off, and its ward told.
    pub(super) fn send(&mut self, conn: ConnId, message: ToTsu) -> Option<Event> {
        if self.connections.get(&conn)?.try_send(message).is_ok() {
            return None;
        }
        warn!(tsu = %self.ward.rules().tsu, "the TSU takes no messages; closing its connection");
        self.connections.remove(&conn);
        Some(Event::Closed { conn })
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
