//! Lets time pass, and gives states that no future can tell apart one form.
//!
//! What is cleared here is dead: a lease that has run out, a message that nobody would act on, an
//! instant so long ago that it does not matter how long. Numbers of leases and connections are
//! only ever compared, so they are given anew, in their order. Leaving a message out is no more
//! than losing it.

use crate::model::SNAPSHOT_AGE_MAX;
use crate::monitor::PROBE;
use crate::state::{Granted, Message, Stage, State, Ticks, Tsu};
use crate::world::{Control, Mode, World};

impl State {
    /// One tick passes: everything noted is one tick further away.
    pub(crate) fn tick(&mut self, world: &World) {
        self.phase = (self.phase + 1) % (world.figures.resolution + 1);
        for tsu in &mut self.boxes {
            tsu.age();
            tsu.raw -= Ticks::from(tsu.frozen);
        }
        if let Some(copy) = &mut self.snapshot {
            copy.age();
            copy.raw -= 1;
            self.snapshot_age += 1;
        }
        let monitor = &mut self.monitor;
        let links = [monitor.link.as_mut(), monitor.challenge.as_mut().map(|c| &mut c.link)];
        for link in links.into_iter().flatten() {
            link.just_probed = false;
            link.probed = link.probed.map(|sent| sent - 1);
        }
        if let Some(challenge) = &mut monitor.challenge {
            challenge.since -= 1;
        }
        if let Some(lease) = &mut monitor.lease {
            lease.live_until -= 1;
        }
        for instant in [&mut monitor.inherited_until, &mut monitor.early].into_iter().flatten() {
            *instant -= 1;
        }
        for (_, since) in &mut self.memory.revocations {
            *since -= 1;
        }
        for message in &mut self.network {
            match message {
                Message::Answer { reading, .. } | Message::Grant { reading, .. } => {
                    reading.raw -= 1;
                }
                Message::Intents { gen_time, .. } => *gen_time -= 1,
                Message::Probe { .. }
                | Message::Revoke { .. }
                | Message::Revoked { .. }
                | Message::Confirm { .. }
                | Message::Refuse { .. } => {}
            }
        }
    }

    /// The one form of this state.
    pub(crate) fn tidy(&mut self, world: &World) {
        if self.snapshot_age > SNAPSHOT_AGE_MAX {
            self.snapshot = None;
        }
        if self.snapshot.is_none() {
            self.snapshot_age = 0;
        }
        for tsu in self.boxes.iter_mut().chain(&mut self.snapshot) {
            tsu.tidy(world);
        }
        // At the latest then: its oscillator has gained nothing, and had gained all it can before.
        self.monitor.expire(-world.figures.drift);
        self.tidy_connections(world);
        self.tidy_network(world);
        self.tidy_boxes(world);
        self.tidy_memory(world);
        self.renumber_leases();
        self.renumber_connections();
        if !world.tells_logs_apart() {
            self.renumber_intents();
        }
        self.network.sort_unstable();
        self.network.dedup();
    }

    fn tidy_connections(&mut self, world: &World) {
        let held: Vec<u8> = self.boxes.iter().map(|tsu| tsu.conn).collect();
        let monitor = &mut self.monitor;
        if monitor.link.take_if(|link| !held.contains(&link.conn)).is_some() {
            monitor.run = 0;
        }
        monitor.challenge.take_if(|challenge| !held.contains(&challenge.link.conn));
        let links = [monitor.link.as_mut(), monitor.challenge.as_mut().map(|c| &mut c.link)];
        for link in links.into_iter().flatten() {
            // An answer this late proves nothing good.
            link.probed.take_if(|sent| -*sent > 2 * world.figures.grant_within + 1);
        }
        match &mut monitor.challenge {
            Some(challenge) => challenge.since = challenge.since.max(-PROBE),
            None => {
                if let Some(link) = &mut monitor.link {
                    link.answered = false;
                }
            }
        }
        if monitor.link.is_none() {
            monitor.next = 0;
            monitor.run = 0;
        }
        monitor.early = monitor.early.map(|early| early.max(far_past(world)));
    }

    fn tidy_network(&mut self, world: &World) {
        let (boxes, monitor) = (&self.boxes, &self.monitor);
        let current = monitor.link.as_ref();
        let second = monitor.challenge.as_ref().map(|c| &c.link);
        let asked = |conn| {
            let mut links = current.into_iter().chain(second);
            links.any(|link| link.conn == conn && link.probed.is_some())
        };
        let speaks = |conn| current.is_some_and(|link| link.conn == conn);
        let holder = |conn| boxes.iter().find(|tsu| tsu.conn == conn);
        self.network.retain(|message| match message {
            Message::Probe { conn } => asked(*conn) && holder(*conn).is_some(),
            Message::Answer { conn, .. } => asked(*conn),
            Message::Grant { conn, seq, reading, .. } => holder(*conn).is_some_and(|tsu| {
                *seq > tsu.newest.max(tsu.withdrawn) && tsu.answered == Some(*reading)
            }),
            Message::Revoke { conn, up_to } => holder(*conn).is_some_and(|tsu| {
                let waits = |lease: &Granted| lease.revoked && lease.seq <= *up_to;
                *up_to > tsu.withdrawn || monitor.lease.as_ref().is_some_and(waits)
            }),
            Message::Revoked { conn, up_to } => {
                let revoked = |l: &Granted| l.revoked && l.seq <= *up_to;
                speaks(*conn) && monitor.lease.as_ref().is_some_and(revoked)
            }
            Message::Intents { conn, seq, .. } => {
                speaks(*conn) && (*seq >= monitor.next || world.breaks(Control::NoFence))
            }
            Message::Confirm { conn, seq, token } => holder(*conn).is_some_and(|tsu| {
                tsu.batches
                    .iter()
                    .any(|b| b.stage == Stage::Intended && (b.seq, b.token) == (*seq, *token))
            }),
            Message::Refuse { conn, seq } => holder(*conn).is_some_and(|tsu| {
                tsu.batches.iter().any(|b| b.stage == Stage::Intended && b.seq == *seq)
            }),
        });
        for message in &mut self.network {
            if let Message::Intents { gen_time, .. } = message {
                *gen_time = (*gen_time).max(far_past(world));
            }
        }
    }

    /// Clears what a box remembers and nothing that is still on its way could meet.
    fn tidy_boxes(&mut self, world: &World) {
        let (network, monitor) = (&self.network, &self.monitor);
        for tsu in self.boxes.iter_mut().chain(&mut self.snapshot) {
            let on_its_way = |wanted: &crate::state::Reading| {
                network.iter().any(|message| match message {
                    Message::Answer { conn, reading, .. }
                    | Message::Grant { conn, reading, .. } => {
                        *conn == tsu.conn && reading == wanted
                    }
                    _ => false,
                })
            };
            tsu.answered.take_if(|reading| !on_its_way(reading));
            // Every grant that is still to be made will have a higher number.
            if tsu.answered.is_none() {
                tsu.newest = 0;
            }
            if tsu.answered.is_none() && tsu.lease.is_none() && tsu.batches.is_empty() {
                tsu.withdrawn = 0;
            }
            if !monitor.lease.is_some_and(|l| !l.revoked && l.seq == tsu.ended) {
                tsu.ended = 0;
            }
            if world.breaks(Control::NoGuard) {
                tsu.lease.iter_mut().for_each(|lease| lease.reading.offset = 0);
            }
            if !crate::properties::checks_p2(world) {
                tsu.batches.iter_mut().for_each(|batch| batch.exact = true);
            }
        }
    }

    fn tidy_memory(&mut self, world: &World) {
        let latest_that_matters = match world.mode {
            Mode::Witnessed => 0,
            Mode::Leased => -(world.figures.outlives() + world.figures.bracket + 2),
        };
        let leases = self.leases_at_large();
        let memory = &mut self.memory;
        let mut below = 0;
        memory.revocations.retain_mut(|(up_to, since)| {
            let matters = leases.up_to(*up_to) > leases.up_to(below);
            below = *up_to;
            *since = (*since).max(latest_that_matters);
            if world.mode == Mode::Witnessed {
                *since = 0;
            }
            matters
        });
        let runs: Vec<u8> =
            self.boxes.iter().chain(&self.snapshot).map(|tsu| tsu.incarnation).collect();
        memory.superseded.retain(|incarnation| runs.contains(incarnation));
        memory.superseded.sort_unstable();
        memory.released.sort_unstable();
    }

    /// The leases that some box may still judge under.
    fn leases_at_large(&self) -> Numbers {
        let held = self.boxes.iter().chain(&self.snapshot).filter_map(|tsu| tsu.lease);
        let granted = self.network.iter().filter_map(|message| match message {
            Message::Grant { seq, .. } => Some(*seq),
            _ => None,
        });
        Numbers::from(held.map(|lease| lease.seq).chain(granted))
    }

    fn renumber_leases(&mut self) {
        let mut numbers = self.leases_at_large();
        let boxes = self.boxes.iter().chain(&self.snapshot);
        numbers.add(boxes.flat_map(|tsu| tsu.batches.iter().map(|batch| batch.lease)));
        numbers.add(self.network.iter().filter_map(|message| match message {
            Message::Intents { lease, .. } => Some(*lease),
            _ => None,
        }));
        numbers.add(self.monitor.lease.map(|lease| lease.seq));
        numbers.add([self.monitor.sequence]);
        // What is compared with these numbers becomes the last of them that it reaches.
        let anew = |number: &mut u8| *number = numbers.up_to(*number);
        for tsu in self.boxes.iter_mut().chain(&mut self.snapshot) {
            let held = tsu.lease.as_mut().map(|lease| &mut lease.seq);
            let batches = tsu.batches.iter_mut().map(|batch| &mut batch.lease);
            let others = [&mut tsu.newest, &mut tsu.withdrawn, &mut tsu.ended];
            held.into_iter().chain(batches).chain(others).for_each(anew);
        }
        for message in &mut self.network {
            match message {
                Message::Grant { seq: number, .. }
                | Message::Revoke { up_to: number, .. }
                | Message::Revoked { up_to: number, .. }
                | Message::Intents { lease: number, .. }
                | Message::Answer { ended: number, .. } => anew(number),
                Message::Probe { .. } | Message::Confirm { .. } | Message::Refuse { .. } => {}
            }
        }
        let monitor = &mut self.monitor;
        let held = monitor.lease.as_mut().map(|lease| &mut lease.seq);
        let others = [&mut monitor.sequence, &mut monitor.ended];
        held.into_iter().chain(others).for_each(anew);
        self.memory.revocations.iter_mut().map(|(up_to, _)| up_to).for_each(anew);
    }

    fn renumber_connections(&mut self) {
        let monitor = &mut self.monitor;
        let second = monitor.challenge.as_mut().map(|c| &mut c.link);
        let mut links: Vec<&mut u8> =
            monitor.link.iter_mut().chain(second).map(|link| &mut link.conn).collect();
        links.extend(self.boxes.iter_mut().map(|tsu| &mut tsu.conn));
        links.extend(self.network.iter_mut().map(|message| message.conn_mut()));
        let numbers = Numbers::from(links.iter().map(|conn| **conn));
        for conn in links {
            *conn = numbers.up_to(*conn);
        }
    }

    /// Where logs are not told apart only the distances of sequence numbers count.
    fn renumber_intents(&mut self) {
        let monitor = &mut self.monitor;
        let linked = monitor.link.is_some();
        let second = monitor.challenge.as_mut().map(|c| &mut c.link.seq);
        let mut numbers: Vec<&mut u8> = second.into_iter().collect();
        numbers.extend(linked.then_some(&mut monitor.next));
        for tsu in &mut self.boxes {
            let waiting = tsu.batches.iter_mut().filter(|b| b.stage == Stage::Intended);
            numbers.extend(waiting.map(|batch| &mut batch.seq));
            numbers.push(&mut tsu.seq);
        }
        for message in &mut self.network {
            if let Message::Intents { seq, .. }
            | Message::Confirm { seq, .. }
            | Message::Refuse { seq, .. } = message
            {
                numbers.push(seq);
            }
        }
        let least = numbers.iter().map(|number| **number).min().unwrap_or_default();
        numbers.into_iter().for_each(|number| *number -= least);
    }
}

/// A set of small numbers above 0.
struct Numbers(u64);

impl Numbers {
    fn from(numbers: impl IntoIterator<Item = u8>) -> Self {
        let mut set = Self(0);
        set.add(numbers);
        set
    }

    fn add(&mut self, numbers: impl IntoIterator<Item = u8>) {
        for number in numbers {
            assert!(number < 64, "numbers are given anew after each step");
            self.0 |= 1 << number;
        }
        self.0 &= !1;
    }

    /// How many there are up to `number`: its place among them.
    fn up_to(&self, number: u8) -> u8 {
        let below = self.0 & (u64::MAX >> (63 - number.min(63)));
        u8::try_from(below.count_ones()).unwrap_or(u8::MAX)
    }
}

impl Tsu {
    fn age(&mut self) {
        let readings = [&mut self.answered, &mut self.kept].into_iter().flatten();
        for reading in readings.chain(self.lease.as_mut().map(|lease| &mut lease.reading)) {
            reading.raw -= 1;
        }
        if let Some(lease) = &mut self.lease {
            lease.since -= 1;
        }
        if let Some(sampling) = &mut self.sampling {
            sampling.raw -= 1;
            if let Some((real, read_at)) = &mut sampling.real {
                *real -= 1;
                *read_at -= 1;
            }
        }
        for batch in &mut self.batches {
            batch.gen_time -= 1;
            if let Stage::Unread { recv } = &mut batch.stage {
                *recv -= 1;
            }
        }
    }

    fn tidy(&mut self, world: &World) {
        let (now, ttl, accuracy) = (self.raw, world.figures.ttl, world.figures.accuracy);
        self.lease.take_if(|lease| now - lease.since > ttl);
        if let Some(lease) = &mut self.lease {
            // Only `since` counts the age.
            lease.reading.raw = lease.since;
        }
        self.answered.take_if(|reading| now - reading.raw > ttl);
        self.kept.take_if(|reading| now - reading.raw > ttl);
        let patience = world.figures.bracket + world.figures.accuracy + 2;
        self.sampling.take_if(|sampling| now - sampling.raw > patience);
        if self.lease.is_none() {
            self.sampling.take_if(|sampling| !sampling.for_probe);
        }
        for batch in &mut self.batches {
            // Once genTime - A has passed, that half of P1 holds for ever.
            batch.gen_time = batch.gen_time.max(accuracy);
            match &mut batch.stage {
                Stage::Unread { recv } => {
                    batch.gen_time = 0;
                    *recv = (*recv).max(far_past(world));
                }
                Stage::Intended => {}
                Stage::Signing => batch.seq = 0,
            }
        }
        if !world.tells_logs_apart() {
            // In any order: nothing tells them apart.
            self.batches.sort_unstable_by_key(|b| (b.seq, b.lease, b.gen_time, b.late, b.exact));
        }
    }
}

/// What is older is as good as this.
fn far_past(world: &World) -> Ticks {
    if world.breaks(Control::StaleNow)
        || world.breaks(Control::CheckThenRead)
        || world.breaks(Control::BothWrongAlike)
    {
        return -24;
    }
    -(world.figures.accuracy + world.faults.monitor_wrong + 1)
}
