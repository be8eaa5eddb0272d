//! Which of a server's addresses is asked, and when its name is looked up anew.

use std::net::SocketAddr;

use chronolease_core::time::{Bound, RawInstant};

/// How long what a name stands for is believed while the server answers.
pub const REFRESH: Bound = Bound::from_millis(3_600_000);

/// The addresses of one server. One of them is asked, always the same one while it answers; when it
/// does not, the name is looked up anew and the next one gets its turn, so that a dead path of one
/// address family does not hide the other.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    known: Vec<SocketAddr>,
    chosen: usize,
    looked_up: Option<RawInstant>,
    failing: bool,
}

impl Addresses {
    /// Whether the name must be looked up before the next request.
    #[must_use]
    pub fn are_due(&self, now: RawInstant) -> bool {
        self.failing || self.looked_up.is_none_or(|at| now - at >= REFRESH.as_span())
    }

    /// What the name stands for, by a look-up that ended at `now`. An empty answer, or none, leaves
    /// what is known: a name service that is down is no reason to stop asking a server that answers.
    pub fn found(&mut self, addresses: Vec<SocketAddr>, now: RawInstant) {
        self.looked_up = Some(now);
        if addresses.is_empty() {
            if self.failing && !self.known.is_empty() {
                self.chosen = (self.chosen + 1) % self.known.len();
            }
            return;
        }
        let kept = self.chosen().and_then(|chosen| addresses.iter().position(|&a| a == chosen));
        self.chosen = match kept {
            Some(position) if self.failing => (position + 1) % addresses.len(),
            Some(position) => position,
            None => 0,
        };
        self.known = addresses;
        self.failing = false;
    }

    /// Whether the address that was asked gave an answer. Without one the name is looked up anew.
    pub fn asked(&mut self, answered: bool) {
        self.failing = !answered;
    }

    /// Whom to ask; `None` before the first look-up that found something.
    #[must_use]
    pub fn chosen(&self) -> Option<SocketAddr> {
        self.known.get(self.chosen).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> RawInstant {
        RawInstant::from_nanos(ms * 1_000_000)
    }

    fn hosts(last: &[u8]) -> Vec<SocketAddr> {
        last.iter().map(|&n| SocketAddr::from(([192, 0, 2, n], 123))).collect()
    }

    #[test]
    fn a_name_is_looked_up_first_then_once_an_hour() {
        let mut addresses = Addresses::default();
        assert!(addresses.are_due(at(0)));
        assert_eq!(addresses.chosen(), None);
        addresses.found(hosts(&[1, 2]), at(0));
        addresses.asked(true);
        assert!(!addresses.are_due(at(3_599_999)));
        assert!(addresses.are_due(at(3_600_000)));
    }

    #[test]
    fn who_answers_is_asked_again_whatever_the_order_of_a_new_look_up() {
        let mut addresses = Addresses::default();
        addresses.found(hosts(&[1, 2]), at(0));
        addresses.asked(true);
        addresses.found(hosts(&[3, 2, 1]), at(3_600_000));
        assert_eq!(addresses.chosen(), Some(hosts(&[1])[0]));
        addresses.found(hosts(&[4, 5]), at(7_200_000));
        assert_eq!(addresses.chosen(), Some(hosts(&[4])[0]));
    }

    #[test]
    fn silence_is_answered_by_a_look_up_and_the_next_address() {
        let mut addresses = Addresses::default();
        addresses.found(hosts(&[1, 2]), at(0));
        for expected in [2, 1, 2] {
            addresses.asked(false);
            assert!(addresses.are_due(at(1)));
            addresses.found(hosts(&[1, 2]), at(1));
            assert_eq!(addresses.chosen(), Some(hosts(&[expected])[0]));
        }
        addresses.asked(true);
        assert!(!addresses.are_due(at(2)));
    }

    #[test]
    fn a_dead_name_service_takes_nothing_away() {
        let mut addresses = Addresses::default();
        addresses.found(hosts(&[1, 2]), at(0));
        addresses.found(Vec::new(), at(3_600_000));
        assert_eq!(addresses.chosen(), Some(hosts(&[1])[0]));
        assert!(!addresses.are_due(at(3_600_001)), "it is not asked with every poll");
        addresses.asked(false);
        addresses.found(Vec::new(), at(3_600_002));
        assert_eq!(addresses.chosen(), Some(hosts(&[2])[0]));
        assert!(addresses.are_due(at(3_600_003)), "nobody answers");
    }
}
