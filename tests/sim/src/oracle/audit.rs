//! What an auditor asks for who has the logs of both boxes.

use chronolease_core::evidence::leaf::{self, Intent};
use chronolease_core::evidence::merkle::{CompactRange, Hash, leaf_hash};
use chronolease_core::time::Span;
use chronolease_net::evidence::MemoryDisk;

use super::{Oracle, Token};
use crate::boxlog;
use crate::clock::MS;
use crate::figures;

impl Oracle {
    /// Judges an intent once more, from what is on record (design 5.4).
    pub(super) fn judge_again(&mut self, host: usize, intent: &Intent, latest: i64) {
        let sample = &intent.sample;
        let at = self.reads.get(&super::key(host, sample)).copied().unwrap_or(0);
        let Some(lease) = self.boxes[host].leases.get(&intent.lease).cloned() else {
            return self.violation("audit", at, format!("lease {} is not on record", intent.lease));
        };
        let anchor = &lease.sample;
        let run = self.boxes[host].incarnation;
        let nanos = |span: Span| span.as_nanos();
        let bound = |ns: u64| i64::try_from(ns).unwrap_or(i64::MAX);
        let bracket = nanos(sample.raw_after - sample.raw_before);
        let age = nanos(sample.raw_after - anchor.raw_before);
        let moved = nanos(sample.real_minus_raw() - anchor.real_minus_raw());
        let suspended = nanos(sample.boot_minus_mono - anchor.boot_minus_mono);
        let beta = bound(figures::BRACKET.as_nanos());
        let begun = lease.blackout.is_some_and(|blackout| sample.real >= blackout.from());
        let gen_time = intent.gen_time.as_unix_nanos();
        let faults = [
            (sample.boot_id != anchor.boot_id, "another boot"),
            (run != Some(lease.incarnation), "another run"),
            (!(0..=beta).contains(&bracket), "a wide bracket"),
            (!(0..=bound(lease.ttl.as_nanos())).contains(&age), "an old lease"),
            (moved.abs() > bound(figures::GUARD.as_nanos()), "a clock that moved"),
            (suspended.abs() > 2 * beta, "a suspension"),
            (begun, "a blackout that began"),
            (gen_time < latest, "a genTime that goes back"),
        ];
        for (wrong, what) in faults {
            self.ask(!wrong, "audit", at, || format!("an intent was judged good on {what}"));
        }
    }

    /// Reads a box's log from its disk: all that was said to be durable must be there, and every
    /// confirmation must be about the log as it is.
    pub fn audit(&mut self, host: usize, disk: &MemoryDisk) {
        let id = if host == 0 { self.ids.0.clone() } else { self.ids.1.clone() };
        let leaves = match boxlog::leaves(disk, &id) {
            Ok(leaves) => leaves,
            Err(why) => return self.violation("P5", 0, format!("the log of box {host}: {why}")),
        };
        let size = self.boxes[host].size;
        self.ask(leaves.len() as u64 >= size, "P5", 0, || {
            format!("box {host} holds {} leaves, {size} were durable", leaves.len())
        });
        if host == 0 {
            let held = |root: &Hash| leaves.iter().any(|l| confirms(&l.event, root));
            let missing = self.boxes[0].confirmations.keys().filter(|root| !held(root)).count();
            return self.ask(missing == 0, "P5", 0, || format!("{missing} confirmations are gone"));
        }
        let mut tree = CompactRange::new();
        let mut heads = vec![tree.head()];
        for leaf in &leaves {
            let Ok(der) = leaf.encode() else { continue };
            tree.append(leaf_hash(&der));
            heads.push(tree.head());
        }
        let on_disk = |place: u64, digest: &Hash| {
            let leaf = usize::try_from(place).ok().and_then(|place| leaves.get(place));
            matches!(leaf.map(|l| &l.event), Some(leaf::Event::Intent(i)) if i.tst_info_digest == *digest)
        };
        let there = &self.boxes[host];
        let lost = there.intents.iter().filter(|(digest, r)| !on_disk(r.place, digest)).count();
        let other = there.confirmations.values().flatten().filter(|c| {
            let size = usize::try_from(c.log.size.as_u64()).unwrap_or(usize::MAX);
            heads.get(size) != Some(&c.log)
        });
        let other = other.count();
        self.ask(lost == 0, "P5", 0, || {
            format!("{lost} intents of box {host} are not on its disk")
        });
        self.ask(other == 0, "P5", 0, || format!("{other} confirmations name another log"));
    }

    /// P3: one run at a time. Nothing of one run is sampled, or confirmed, after a lease of another
    /// one was granted.
    pub fn conclude(&mut self) {
        let tokens = std::mem::take(&mut self.tokens);
        for token in &tokens {
            let Token { lease, read_at, decided_at, incarnation, host } = token;
            let later = self.grants.iter().find(|grant| {
                grant.terms.sequence > *lease
                    && grant.terms.incarnation != *incarnation
                    && grant.at + MS < (*read_at).max(decided_at.unwrap_or(0))
            });
            let later = later.map(|grant| grant.terms.sequence);
            self.ask(later.is_none(), "P3", *read_at, || {
                format!("host {host} issues under lease {lease}, another run holds {later:?}")
            });
        }
        self.tokens = tokens;
    }
}

fn confirms(event: &leaf::Event, root: &Hash) -> bool {
    match event {
        leaf::Event::Confirmed(signed) => {
            signed.open(|_, _| true).is_ok_and(|confirmation| confirmation.batch.root == *root)
        }
        _ => false,
    }
}
