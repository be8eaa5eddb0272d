//! What the monitor puts on record before it answers.

use chronolease_core::evidence::leaf;
use chronolease_core::lease::{LeaseTerms, SignedLease};
use chronolease_core::sample::Sample;
use chronolease_core::wire::ToTsu;
use chronolease_monitor::core::authority::{ConnId, Event, Record};
use chronolease_net::evidence::Files;
use chronolease_net::recorder::{Kept, RecordError};

use super::wards::record_file;
use super::{Monitor, Out, UnderWay};
use crate::boxlog::answered;

impl Monitor {
    /// The record, the leaf, the checkpoint that holds the leaf, the lease: in this order.
    pub(super) fn grant(
        &mut self,
        ward: usize,
        now: &Sample,
        conn: ConnId,
        record: &Record,
        terms: LeaseTerms,
        out: &mut Vec<Out>,
    ) -> Option<Event> {
        if !self.persist(ward, record) {
            return Some(Event::PersistFailed);
        }
        let sign = |m: &[u8]| Ok::<_, core::convert::Infallible>(self.me.signer.sign(m).to_vec());
        let Ok(lease) = SignedLease::sign(&terms, sign);
        self.noted.lay(leaf::Event::LeaseGranted(lease.clone()));
        self.send_off(now, None);
        let waited = self.under_way.len();
        while self.log.write_batch() {}
        let before = out.len();
        self.settle(out);
        let recorded = waited > 0
            && out[before..].iter().any(|out| {
                matches!(out, Out::Recorded(_, events)
                if matches!(events.last(), Some(leaf::Event::LeaseGranted(l)) if *l == lease))
            });
        if !recorded {
            return Some(if self.lost { Event::EvidenceLost } else { Event::PersistFailed });
        }
        out.push(Out::Granted(terms));
        self.witness(conn.0, out);
        out.push(Out::Send(conn.0, ToTsu::Grant(lease)));
        None
    }

    pub(super) fn persist(&mut self, ward: usize, record: &Record) -> bool {
        let kept_as = if self.one_record { 0 } else { ward };
        let file = record_file(&self.sides[kept_as].ward.rules().tsu);
        let written = self.disk.replace(&file, record.to_text().as_bytes());
        self.sides[ward].dirty = written.is_err();
        written.is_ok()
    }

    pub(super) fn send_off(&mut self, now: &Sample, then: Option<(u64, ToTsu)>) {
        let mut events = std::mem::take(&mut self.endings);
        events.append(self.noted.take());
        match self.log.recorder.submit(now, events.events()) {
            Ok(pending) => self.under_way.push(UnderWay { events, pending, then }),
            Err(why) => self.failed(events, &why),
        }
    }

    /// Looks what became of records; what was to go out with them goes.
    pub fn settle(&mut self, out: &mut Vec<Out>) {
        for mut going in std::mem::take(&mut self.under_way) {
            match answered(&mut going.pending) {
                None => self.under_way.push(going),
                Some(Ok(committed)) => {
                    out.push(Out::Recorded(committed.first.as_u64(), going.events.events()));
                    // To a connection that is gone by now it is not said.
                    let then = going.then.filter(|(conn, _)| self.is_connected(*conn));
                    out.extend(then.map(|(conn, message)| Out::Send(conn, message)));
                }
                Some(Err(why)) => self.failed(going.events, &why),
            }
        }
    }

    /// Whether a record is on its way to the disk.
    #[must_use]
    pub fn is_writing(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// Endings go in with what comes next.
    fn failed(&mut self, mut events: Kept, why: &RecordError) {
        if why.is_final() {
            self.lost = true;
        } else {
            events.retain(|event| matches!(event, leaf::Event::LeaseEnded(_)));
            self.endings.append(events);
        }
    }
}
