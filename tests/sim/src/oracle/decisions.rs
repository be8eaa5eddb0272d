//! What is asked of the monitor's decisions.

use chronolease_core::confirmation::Confirmation;
use chronolease_core::evidence::leaf;
use chronolease_core::lease::{EndingCause, LeaseTerms};

use super::release::accuracy;
use super::{End, Grant, Oracle, key};
use crate::clock::{Instant, MS};
use crate::figures;
use crate::monitor::Out;

/// How long two runs of one TSU may go unnoticed while nothing else is wrong.
const FOUND_WITHIN: i64 = 5_000 * MS;

impl Oracle {
    /// The monitor did this, when UTC was `utc`.
    pub fn decided(&mut self, now: Instant, out: &[Out], utc: i64) {
        for out in out {
            match out {
                Out::Granted(terms) if terms.tsu == self.tsu => self.granted(now, terms),
                Out::Ended(ended) if ended.tsu == self.tsu => self.ended(now, ended),
                Out::Decided(confirmation) if confirmation.tsu == self.tsu => {
                    self.confirmed(now, confirmation, utc);
                }
                // Another ward's.
                Out::Granted(_) | Out::Ended(_) | Out::Decided(_) => {}
                Out::Recorded(first, events) => self.note(0, *first, events),
                Out::Send(..) | Out::Close(_) => {}
            }
        }
    }

    fn ended(&mut self, at: Instant, ended: &leaf::Ended) {
        self.counts.ended(ended.cause);
        self.ends.push(End { at, up_to: ended.sequence, cause: ended.cause });
    }

    fn granted(&mut self, now: Instant, terms: &LeaseTerms) {
        self.counts.grants += 1;
        let sampled_on =
            (1..self.boxes.len()).find(|host| self.reads.contains_key(&key(*host, &terms.sample)));
        let read_at = sampled_on.and_then(|host| self.reads.get(&key(host, &terms.sample)));
        if let Some(read_at) = read_at.copied() {
            let off = terms.sample.real.as_unix_nanos() - self.truth.utc(read_at);
            let most = i64::try_from(figures::GRANT_WITHIN.as_nanos()).unwrap_or(i64::MAX);
            self.ask(off.abs() <= most, "verdict", now, || {
                format!("a lease for a clock that was {off} ns off")
            });
        }
        self.ask(sampled_on.is_some(), "wards", now, || {
            "a lease on a sample that its TSU never took".to_owned()
        });
        self.judge_hold(now);
        let utc = self.truth.utc(now);
        self.judge_blackout(now, [utc; 4]);
        let since =
            |host: usize| self.boxes[host].up_since.is_some_and(|at| now - at > FOUND_WITHIN);
        let runs = (1..self.boxes.len()).filter(|host| since(*host)).count();
        let quiet = now - self.disturbed > FOUND_WITHIN;
        self.ask(runs < 2 || !quiet, "P3", now, || {
            "a lease while two runs of the TSU answer".to_owned()
        });
        if let Some(host) = sampled_on {
            self.judge_grant(now, terms, host);
        }
        let turn = self.turn();
        self.grants.push(Grant { at: now, turn, terms: terms.clone() });
    }

    /// No lease before the hold is over, and none at all when persons must act first.
    fn judge_hold(&mut self, now: Instant) {
        let Some(end) = self.ends.last().copied() else { return };
        if end.at < self.monitor_started || self.grants.last().is_some_and(|g| g.at > end.at) {
            return;
        }
        let hold = match end.cause {
            EndingCause::Restarted | EndingCause::LeapSecond => 0,
            _ => i64::try_from(figures::HOLD.as_nanos()).unwrap_or(i64::MAX) * 99 / 100,
        };
        self.ask(now - end.at >= hold, "hold", now, || {
            format!("a lease {} ns after the last ended: {}", now - end.at, end.cause)
        });
        self.ask(!(self.persons && end.cause.latches()), "latch", now, || {
            format!("a lease although {} latched", end.cause)
        });
    }

    fn confirmed(&mut self, now: Instant, c: &Confirmation, utc: i64) {
        self.counts.confirmations += 1;
        let (m, e) =
            (c.utc.as_unix_nanos(), i64::try_from(c.half_width.as_nanos()).unwrap_or(i64::MAX));
        self.tightness.half_width = self.tightness.half_width.max(e);
        self.ask((utc - m).abs() <= e, "P5", now, || {
            format!("the monitor states UTC {} ns off within {e} ns", m - utc)
        });
        self.tightness.reading_b = self.tightness.reading_b.max((utc - m).abs());
        let most = i64::try_from(figures::HALF_WIDTH_MAX.as_nanos()).unwrap_or(i64::MAX);
        self.ask(e <= most, "e_max", now, || format!("confirmed with UTC known within {e} ns"));
        let (times, a) = (c.batch.gen_times, accuracy());
        let (min, max) = (times.min().as_unix_nanos(), times.max().as_unix_nanos());
        let slack = (min - (utc - a)).min(utc + a - max);
        self.tightness.slack = Some(self.tightness.slack.map_or(slack, |least| least.min(slack)));
        self.ask(slack >= 0, "P1", now, || {
            format!("confirmed although a genTime is {} ns beyond the accuracy", -slack)
        });
        self.judge_blackout(now, [m - e, m + e, min, max]);
        let lease = c.batch.lease;
        let ended = self.ends.iter().find(|end| lease <= end.up_to && end.at <= now).copied();
        self.ask(ended.is_none(), "P4", now, || {
            format!("confirmed under lease {lease}: {ended:?}")
        });
        let granted = self
            .grants
            .iter()
            .any(|grant| grant.terms.sequence == lease && grant.terms.incarnation == c.incarnation);
        self.ask(granted, "wards", now, || {
            format!("confirmed under lease {lease}, which its TSU was never granted")
        });
        self.judge_confirmed(now, lease);
        let sequence = c.batch.sequence.as_u64();
        let last = self.confirmed.insert(*c.channel.as_bytes(), sequence);
        self.ask(last.is_none_or(|last| last < sequence), "P3", now, || {
            format!("batch {sequence} of a connection confirmed after {last:?}")
        });
        if let Some(before) = self.confirmed_log.replace(c.log) {
            let continues = before.size < c.log.size || before == c.log;
            self.ask(continues, "P5", now, || {
                format!("a log of {} leaves confirmed after one of {}", c.log.size, before.size)
            });
        }
        self.decided.insert(c.batch.root, now);
    }

    fn judge_blackout(&mut self, now: Instant, readings: [i64; 4]) {
        let Some((_, by)) = self.truth.leap else { return };
        // L on the scale of readings.
        let (at, _) = self.truth.leap.unwrap_or_default();
        let l = self.truth.begins_at + at + if by > 0 { by } else { 0 };
        let around = |reading: i64| (reading - l).abs() <= 2_000 * MS;
        let covers = around(readings[0]) || around(readings[1]);
        self.ask(!covers, "blackout", now, || "the reading lies in the blackout".to_owned());
        let covers = around(readings[2]) || around(readings[3]);
        self.ask(!covers, "blackout", now, || "a genTime lies in the blackout".to_owned());
    }
}
