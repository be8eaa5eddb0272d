//! Events that nobody waits for, kept in the order in which they happened.

use std::collections::BTreeMap;

use chronolease_core::evidence::leaf::Event;

/// Events that wait for the next submission. Each has a number, so what comes back from a log that
/// did not take it finds its place again, whichever submission failed first.
#[derive(Debug, Default)]
pub struct Aside {
    /// The number of the next event.
    next: u64,
    kept: Kept,
}

/// Events with their numbers, which set their order.
#[derive(Clone, Debug, Default)]
pub struct Kept(BTreeMap<u64, Event>);

impl Aside {
    /// Lays an event aside. It comes behind all that were ever laid aside here.
    pub fn lay(&mut self, event: Event) {
        self.kept.0.insert(self.next, event);
        self.next += 1;
    }

    /// The event that was laid aside last, unless it was taken.
    pub fn last_mut(&mut self) -> Option<&mut Event> {
        self.kept.0.get_mut(&self.next.checked_sub(1)?)
    }

    /// Takes all that is here.
    #[must_use]
    pub fn take(&mut self) -> Kept {
        std::mem::take(&mut self.kept)
    }

    /// Puts back what was taken.
    pub fn put_back(&mut self, kept: Kept) {
        self.kept.append(kept);
    }

    /// What is here.
    #[must_use]
    pub const fn kept(&self) -> &Kept {
        &self.kept
    }

    /// What is here, to leave some of it out.
    pub const fn kept_mut(&mut self) -> &mut Kept {
        &mut self.kept
    }
}

impl Kept {
    /// The events in their order.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.0.values().cloned().collect()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds others from the same [`Aside`], each in its place.
    pub fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    /// Keeps those alone that `keep` says.
    pub fn retain(&mut self, keep: impl Fn(&Event) -> bool) {
        self.0.retain(|_, event| keep(event));
    }

    /// Leaves out the last ones until there are at most `max`.
    pub fn truncate(&mut self, max: usize) {
        while self.0.len() > max {
            self.0.pop_last();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chronolease_core::evidence::merkle::Hash;

    fn event(number: u8) -> Event {
        Event::ConfigDigest(Hash::from_bytes([number; 32]))
    }

    #[test]
    fn what_comes_back_stands_in_its_place_whichever_comes_first() {
        for first in [0, 1, 2] {
            let mut aside = Aside::default();
            let mut taken = Vec::new();
            for number in [0, 2, 4] {
                aside.lay(event(number));
                aside.lay(event(number + 1));
                taken.push(aside.take());
            }
            aside.lay(event(6));
            taken.rotate_left(first);
            for kept in taken {
                aside.put_back(kept);
            }
            assert_eq!(aside.kept().events(), [0, 1, 2, 3, 4, 5, 6].map(event));
        }
    }

    #[test]
    fn the_last_is_there_unless_it_was_taken() {
        let mut aside = Aside::default();
        assert!(aside.last_mut().is_none());
        aside.lay(event(0));
        let first = aside.take();
        assert!(aside.last_mut().is_none());
        aside.lay(event(1));
        let second = aside.take();
        aside.put_back(first);
        assert!(aside.last_mut().is_none(), "the last one is on its way");
        aside.put_back(second);
        assert_eq!(aside.last_mut(), Some(&mut event(1)));
    }

    #[test]
    fn what_there_is_no_room_for_goes_from_the_end() {
        let mut aside = Aside::default();
        for number in 0..5 {
            aside.lay(event(number));
        }
        aside.kept_mut().retain(|kept| *kept != event(1));
        aside.kept_mut().truncate(3);
        assert_eq!(aside.kept().events(), [0, 2, 3].map(event));
        assert_eq!((aside.kept().len(), aside.kept().is_empty()), (3, false));
    }
}
