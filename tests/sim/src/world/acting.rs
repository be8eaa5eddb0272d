//! What processes do with the world.

use chronolease_core::evidence::leaf;
use chronolease_tsu::core::issuing::Action;

use super::boxes::short;
use super::{BOX_B, Deed, Made, World};
use crate::monitor::Out;
use crate::oracle::Released;
use crate::tsu::{Link, Waits};

impl World {
    /// A process does what it decided, in order, and then takes what waits.
    pub(super) fn act(&mut self, host: usize, made: &Made, deeds: Vec<Deed>) {
        for deed in deeds {
            match deed {
                Deed::Monitor(out) => self.monitor_does(out),
                Deed::Tsu(action) => self.tsu_does(host, made, action),
            }
        }
        if host != BOX_B {
            if let Some(Some(tsu)) = self.tsus.get_mut(host) {
                tsu.flush_if_due(&made.sample);
            }
            self.disk_soon(host);
        }
        self.wait(host);
        self.pump(host);
    }

    pub(super) fn monitor_does(&mut self, out: Out) {
        let now = self.now;
        match out {
            Out::Send(conn, message) => {
                self.trace.line(now, || format!("B says to {conn}: {}", short(&message)));
                self.tell(conn, &message);
            }
            Out::Close(conn) => self.close(conn, true),
            Out::Granted(_) | Out::Ended(_) | Out::Decided(_) | Out::Recorded(..) => {}
        }
    }

    fn tsu_does(&mut self, host: usize, made: &Made, action: Action) {
        let now = self.now;
        let Some(Some(tsu)) = self.tsus.get_mut(host) else { return };
        match action {
            Action::Send(message) => {
                let Link::Up(conn, _) = tsu.link else { return };
                let Some(message) = tsu.wire(message) else { return };
                self.trace.line(now, || format!("host {host} says: {}", short(&message)));
                self.say(conn, &message);
            }
            Action::LogLease(sequence, lease) => {
                tsu.submit(
                    &made.sample,
                    Waits::Lease(sequence),
                    vec![leaf::Event::LeaseGranted(lease)],
                );
            }
            Action::Log(lane, intents) => {
                let intents = intents.into_iter().map(leaf::Event::Intent).collect();
                tsu.submit(&made.sample, Waits::Batch(lane), intents);
            }
            Action::LogConfirmation(lane, signed) => {
                let confirmed = vec![leaf::Event::Confirmed(signed)];
                tsu.submit(&made.sample, Waits::Confirmation(lane), confirmed);
            }
            Action::Sign(lane, batch) => self.sign(host, lane, batch),
            Action::Record(event) => tsu.lay_aside(event),
            Action::Reply(id, Ok(token)) => {
                let Some(received) = tsu.clients.remove(&id) else { return };
                let (incarnation, heard_revoked) = (tsu.incarnation, tsu.heard_revoked);
                let der = token.into_der();
                let Made { sample: made, turn } = *made;
                let released =
                    Released { host, incarnation, received, heard_revoked, made, turn, der };
                self.trace.line(now, || format!("host {host} releases a token to {id:?}"));
                self.oracle.released(now, &self.truth, &released);
            }
            Action::Reply(id, Err(rejection)) => {
                tsu.clients.remove(&id);
                self.oracle.counts().rejections += 1;
                self.trace.line(now, || format!("host {host} rejects {id:?}: {rejection:?}"));
            }
            Action::Note(note) => {
                self.trace.line(now, || format!("host {host} notes {note:?}"));
            }
        }
    }
}
