//! Connections between the boxes: TLS over TCP, so that frames keep their order and nobody without a
//! key can write one, but a connection may be slow, stand still or end.

use chronolease_core::wire::{self, ToMonitor, ToTsu};
use chronolease_tsu::core::issuing;

use super::{BOX_B, Happens, Item, Scene, World};
use crate::clock::{Instant, MS};
use crate::monitor::Input;
use crate::tsu::{Link, Tsu};

/// How long after a failure the TSU calls again.
const RETRY: i64 = 250 * MS;

/// A connection.
#[derive(Clone, Debug)]
pub(super) struct Conn {
    /// The TSU's box.
    pub(super) host: usize,
    /// Whether the TSU, and the monitor, hold it for open.
    open: [bool; 2],
    /// Nothing gets through any more, and nobody is told.
    dead: bool,
    /// When the last frame of each direction arrives.
    last: [Instant; 2],
    /// The monitor has read its hello.
    greeted: bool,
}

impl World {
    /// The TSU on this box calls the monitor.
    pub(super) fn dial(&mut self, host: usize) {
        let life = self.hosts[host].life;
        let Some(Some(tsu)) = self.tsus.get_mut(host) else { return };
        if tsu.link != Link::Down {
            return;
        }
        tsu.link = Link::Dialling;
        let takes = 3 * self.delay(host);
        let at = self.paths[host].blocked_until.max(self.now) + takes;
        self.later(at, Happens::Accept { host, life });
    }

    pub(super) fn accept(&mut self, host: usize) {
        let (life, now) = (self.hosts[host].life, self.now);
        let there = self.monitor.is_some();
        let Some(Some(tsu)) = self.tsus.get_mut(host) else { return };
        if !there {
            tsu.link = Link::Down;
            return self.after(RETRY, Happens::Dial { host, life });
        }
        self.next_conn += 1;
        let conn = self.next_conn;
        let hello = tsu.connected(conn, now);
        let greeted = false;
        self.conns
            .insert(conn, Conn { host, open: [true; 2], dead: false, last: [now; 2], greeted });
        self.trace.line(now, || format!("host {host} connects as connection {conn}"));
        self.say(conn, &ToMonitor::Hello(hello));
        self.push(host, Item::tsu(issuing::Event::Connected(Tsu::channel(conn))));
    }

    /// The TSU says something.
    pub(super) fn say(&mut self, conn: u64, message: &ToMonitor) {
        self.send(conn, true, wire::encode_to_monitor(message));
    }

    /// The monitor says something.
    pub(super) fn tell(&mut self, conn: u64, message: &ToTsu) {
        self.send(conn, false, wire::encode_to_tsu(message));
    }

    fn delay(&mut self, host: usize) -> i64 {
        let path = self.paths[host];
        let slow = if self.now < path.slow_until { self.dice.range(0, path.slow_by) } else { 0 };
        self.dice.range(MS / 10, 2 * MS) + slow
    }

    fn send(&mut self, conn: u64, to_monitor: bool, bytes: Vec<u8>) {
        let Some(there) = self.conns.get(&conn) else { return };
        let (host, side) = (there.host, usize::from(to_monitor));
        let last = there.last[side];
        if there.dead || !there.open[1 - side] {
            return;
        }
        let delay = self.delay(host);
        let free = self.paths[host].blocked_until.max(self.now) + delay;
        let at = free.max(last + 1);
        if let Some(there) = self.conns.get_mut(&conn) {
            there.last[side] = at;
        }
        if matches!(self.options.scene, Scene::Unprotected | Scene::UnprotectedLeased) {
            self.meddle(conn, to_monitor, at, &bytes);
        }
        self.later(at, Happens::Frame { conn, to_monitor, bytes });
    }

    /// What TLS prevents: frames that come twice, and frames of one connection on another.
    fn meddle(&mut self, conn: u64, to_monitor: bool, at: Instant, bytes: &[u8]) {
        if self.dice.permille(60) {
            let again = at + self.dice.range(1, 40 * MS);
            let bytes = bytes.to_vec();
            self.later(again, Happens::Frame { conn, to_monitor, bytes });
        }
        if !to_monitor {
            self.old_frames.push(bytes.to_vec());
            if self.dice.permille(150) {
                let recent = self.old_frames.len().min(60);
                let back = self.dice.index(recent) + 1;
                let old = self.old_frames[self.old_frames.len() - back].clone();
                let again = at + self.dice.range(1, 40 * MS);
                self.later(again, Happens::Frame { conn, to_monitor, bytes: old });
            }
        }
    }

    pub(super) fn arrived(&mut self, conn: u64, to_monitor: bool, bytes: Vec<u8>) {
        let now = self.now;
        let Some(there) = self.conns.get_mut(&conn) else { return };
        if there.dead || !there.open[usize::from(to_monitor)] {
            return;
        }
        if to_monitor {
            let greeted = std::mem::replace(&mut there.greeted, true);
            let raw = self.hosts[BOX_B].clock.sample(now).raw_after;
            let input = match wire::decode_to_monitor(&bytes) {
                Ok(ToMonitor::Hello(hello)) if !greeted => Input::Connected(conn, hello),
                Ok(message) if greeted => Input::Said(conn, message, raw),
                _ => return self.close(conn, true),
            };
            return self.push(BOX_B, Item::monitor(input));
        }
        let host = there.host;
        let sample = self.sample(host);
        let Some(Some(tsu)) = self.tsus.get_mut(host) else { return };
        tsu.link = Link::Up(conn, now);
        let heard = wire::decode_to_tsu(&bytes).ok();
        let heard = heard.and_then(|message| tsu.received(message, &sample));
        let Some((events, reply)) = heard else { return self.link_down(host) };
        self.disk_soon(host);
        if let Some(reply) = reply {
            self.say(conn, &reply);
        }
        for event in events {
            self.push(host, Item::tsu(event));
        }
    }

    /// One end closes the connection; the other end learns of it after what was said before.
    pub(super) fn close(&mut self, conn: u64, by_monitor: bool) {
        let Some(there) = self.conns.get_mut(&conn) else { return };
        there.open[usize::from(by_monitor)] = false;
        let (host, dead, to_monitor) = (there.host, there.dead, !by_monitor);
        let last = there.last[usize::from(to_monitor)];
        if by_monitor && self.monitor.is_some() {
            // Its own task for the connection ends too.
            self.push(BOX_B, Item::monitor(Input::Closed(conn)));
        }
        if !dead {
            let delay = self.delay(host);
            let at = (self.paths[host].blocked_until.max(self.now) + delay).max(last + 1);
            self.later(at, Happens::HangUp { conn, to_monitor });
        }
    }

    pub(super) fn hung_up(&mut self, conn: u64, to_monitor: bool) {
        let Some(there) = self.conns.get_mut(&conn) else { return };
        let host = there.host;
        let open = std::mem::replace(&mut there.open[usize::from(to_monitor)], false);
        if !open {
            return;
        }
        if to_monitor {
            self.push(BOX_B, Item::monitor(Input::Closed(conn)));
        } else if matches!(&self.tsus[host], Some(tsu) if matches!(tsu.link, Link::Up(c, _) if c == conn))
        {
            self.link_down(host);
        }
    }

    /// The TSU gives its connection up and will call again.
    pub(super) fn link_down(&mut self, host: usize) {
        let life = self.hosts[host].life;
        let Some(Some(tsu)) = self.tsus.get_mut(host) else { return };
        let link = tsu.link;
        tsu.disconnected();
        if let Link::Up(conn, _) = link {
            self.close(conn, false);
        }
        self.push(host, Item::tsu(issuing::Event::Disconnected));
        self.after(RETRY, Happens::Dial { host, life });
    }

    /// Every connection of this box breaks. Who is told learns of it at once or by and by; else by
    /// the silence.
    pub(super) fn cut(&mut self, host: usize) {
        let open: Vec<u64> = self
            .conns
            .iter()
            .filter(|(_, there)| there.host == host && !there.dead && there.open != [false; 2])
            .map(|(conn, _)| *conn)
            .collect();
        for conn in open {
            if let Some(there) = self.conns.get_mut(&conn) {
                there.dead = true;
            }
            for to_monitor in [false, true] {
                if self.dice.permille(600) {
                    let after = self.dice.range(0, 1_500 * MS);
                    self.after(after, Happens::HangUp { conn, to_monitor });
                }
            }
        }
    }

    /// A process is gone. Its kernel says so, unless the whole box went down.
    pub(super) fn process_gone(&mut self, host: usize, silently: bool) {
        let side = usize::from(host == BOX_B);
        let open: Vec<u64> = self
            .conns
            .iter()
            .filter(|(_, there)| (host == BOX_B || there.host == host) && there.open[side])
            .map(|(conn, _)| *conn)
            .collect();
        for conn in open {
            let Some(there) = self.conns.get_mut(&conn) else { continue };
            there.open[side] = false;
            if silently {
                there.dead = true;
            } else {
                let to_monitor = host != BOX_B;
                let delay = self.dice.range(MS / 10, 3 * MS);
                self.after(delay, Happens::HangUp { conn, to_monitor });
            }
        }
    }
}
