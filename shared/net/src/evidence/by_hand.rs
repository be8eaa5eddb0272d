//! A log whose writer is turned by hand, for a simulator: no thread, and no time but its own.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::files::Files;
use super::log::{self, Log, Recovered};
use super::refused::OpenError;
use super::settings::{Known, Settings};
use super::writer::{Message, Writer};

/// The writer of a log that writes when it is told to. The log closes when it is dropped.
pub struct HandWriter {
    writer: Writer,
    messages: mpsc::Receiver<Message>,
    waiting: Option<Message>,
}

/// As [`create`](super::create).
///
/// # Errors
/// As [`create`](super::create).
pub fn create_by_hand(
    files: Arc<dyn Files>,
    folder: &Path,
    settings: Settings,
) -> Result<(Log, HandWriter), OpenError> {
    let writer = log::created(files, folder, settings, Box::new(|| 0))?;
    let (log, messages) = log::handle(&writer);
    Ok((log, HandWriter { writer, messages, waiting: None }))
}

/// As [`open`](super::open).
///
/// # Errors
/// As [`open`](super::open).
pub fn open_by_hand(
    files: Arc<dyn Files>,
    folder: &Path,
    settings: Settings,
    known: &[Known],
) -> Result<(Log, HandWriter, Recovered), OpenError> {
    let (writer, recovered) = log::opened(files, folder, settings, known, Box::new(|| 0))?;
    let (log, messages) = log::handle(&writer);
    Ok((log, HandWriter { writer, messages, waiting: None }, recovered))
}

impl HandWriter {
    /// Writes one batch of what waits, as the thread would, and answers. `false` when nothing waits.
    pub fn write_batch(&mut self) -> bool {
        let next = self.waiting.take().or_else(|| self.messages.try_recv().ok());
        let Some(Message::Append(group)) = next else { return false };
        self.waiting = self.writer.serve_with(group, &mut self.messages);
        true
    }
}
