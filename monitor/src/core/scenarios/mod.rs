//! What happens to sources, in simulated time: laboratories that answer, lie, or fall silent, the
//! client's own exchange and codec, and what the monitor then knows. One test for each line.

mod lines;
mod week;

use chronolease_core::fusion::{Faults, NoUtc};
use chronolease_core::interval::Interval;
use chronolease_core::time::{Bound, Ppb, RawInstant, Span, Timestamp};

use super::ntp::PIVOT;
use super::ntp::exchange::{Caps, Exchange, Meaning};
use super::ntp::packet::{LeapIndicator, Mode, NtpShort, NtpTimestamp, Packet, Precision, RefId};
use super::sources::{PollResult, Report, Rules, Source, SourceState, Sources, View, Voters};
use super::testing::guard;

const MS: i64 = 1_000_000;
const POLL_MS: i64 = 16_000;
const RHO: Ppb = Ppb::from_ppm(100);
const AGE_MAX: Bound = Bound::from_millis(64_000);

const CAPS: Caps = Caps {
    stratum_min: 1,
    stratum_max: 4,
    root_distance_max: Bound::from_millis(50),
    delay_max: Bound::from_millis(200),
    reference_age_max: Bound::from_millis(3_600_000),
};

/// One laboratory's server and the path to it.
#[derive(Clone, Copy, Debug)]
struct Lab {
    /// How far its clock is ahead of UTC.
    off: Span,
    /// How long a request and an answer are on their way.
    there_ms: i64,
    back_ms: i64,
    leap: LeapIndicator,
    stratum: u8,
    reference_id: [u8; 4],
    root_dispersion_ms: u32,
    is_silent: bool,
    /// Datagrams with a wrong origin that arrive before the answer, made of the answer itself.
    forged: usize,
    /// What the forged ones claim to be.
    forged_kiss: Option<[u8; 4]>,
}

impl Lab {
    const HONEST: Self = Self {
        off: Span::ZERO,
        there_ms: 4,
        back_ms: 6,
        leap: LeapIndicator::NoWarning,
        stratum: 1,
        reference_id: *b"GPS\0",
        root_dispersion_ms: 1,
        is_silent: false,
        forged: 0,
        forged_kiss: None,
    };

    /// The datagrams that follow the request, the last one being the answer.
    fn answers(
        &self,
        nonce: NtpTimestamp,
        arrived: RawInstant,
        utc_minus_raw: Span,
    ) -> Vec<Packet> {
        let utc = Timestamp::from_unix_nanos(arrived.as_nanos()) + utc_minus_raw + self.off;
        let at = NtpTimestamp::from_utc(utc);
        let answer = Packet {
            leap: self.leap,
            version: 4,
            mode: Mode::Server,
            stratum: self.stratum,
            poll: 4,
            precision: Precision(-20),
            root_delay: NtpShort::default(),
            root_dispersion: NtpShort::from_bits(self.root_dispersion_ms * 65_536 / 1_000),
            reference_id: RefId(self.reference_id),
            reference: NtpTimestamp::from_utc(utc + Span::from_millis(-1_000)),
            origin: nonce,
            receive: at,
            transmit: at,
        };
        let mut all: Vec<Packet> = (0..self.forged)
            .map(|n| Packet {
                origin: NtpTimestamp::from_bits(nonce.as_bits() ^ (1 + n as u64)),
                stratum: if self.forged_kiss.is_some() { 0 } else { self.stratum },
                reference_id: RefId(self.forged_kiss.unwrap_or(self.reference_id)),
                ..answer
            })
            .collect();
        all.push(answer);
        all
    }
}

/// Box B, its sources, and the truth, at one instant.
struct World {
    sources: Sources,
    labs: Vec<Lab>,
    caps: Caps,
    now_ms: i64,
    nonce: u64,
    /// How the last poll of each source went.
    last: Vec<PollResult>,
}

impl World {
    /// So many honest laboratories with one server each, of which f = 1 may lie, polled often enough
    /// for the start-up to be over.
    fn of(labs: usize) -> Self {
        let source = |n: usize| Source { name: format!("ntp{n}"), group: format!("lab{n}") };
        let rules = Rules { faults: Faults(1), rho: RHO, age_max: AGE_MAX, voters: Voters::All };
        let mut world = Self {
            sources: Sources::new((0..labs).map(source).collect(), rules, &guard()),
            labs: vec![Lab::HONEST; labs],
            caps: CAPS,
            now_ms: 0,
            nonce: 1,
            last: vec![PollResult::NoAnswer; labs],
        };
        world.rounds(4);
        assert_eq!(world.view().states, vec![SourceState::Ok; labs]);
        world
    }

    /// What UTC is, less RAW: a point.
    fn truth() -> Interval {
        let pivot = Span::from_nanos(PIVOT.as_unix_nanos());
        Interval::new(pivot, pivot).expect("a point")
    }

    fn now(&self) -> RawInstant {
        RawInstant::from_nanos(self.now_ms * MS)
    }

    /// Polls every source so many times, once in the interval, and looks after each round.
    fn rounds(&mut self, count: usize) {
        for _ in 0..count {
            self.now_ms += POLL_MS;
            (0..self.labs.len()).for_each(|source| self.poll(source));
        }
    }

    fn poll(&mut self, source: usize) {
        let lab = self.labs[source];
        self.nonce = self.nonce.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let nonce = NtpTimestamp::from_bits(self.nonce);
        let at = |ms: i64| RawInstant::from_nanos(ms * MS);
        let received = at(self.now_ms);
        let sent = at(self.now_ms - lab.there_ms - lab.back_ms);
        let exchange = Exchange::new(nonce, sent);
        let mut result = PollResult::NoAnswer;
        let utc_minus_raw = Self::truth().lo();
        let arrived = at(self.now_ms - lab.back_ms);
        let answers =
            if lab.is_silent { Vec::new() } else { lab.answers(nonce, arrived, utc_minus_raw) };
        for packet in answers {
            match exchange.complete(&packet.to_bytes(), received, &self.caps, PIVOT) {
                Err(refused) if refused.meaning() == Meaning::Ignored => {}
                Ok(sample) => result = PollResult::Sample(sample),
                Err(refused) => result = PollResult::Refused(refused),
            }
        }
        self.last[source] = result.clone();
        let epoch = self.sources.epoch();
        self.sources.handle(&Report { source, epoch, result });
    }

    fn view(&self) -> View {
        self.sources.view(self.now())
    }

    /// UTC is known and the interval holds it.
    #[track_caller]
    fn expect_truth(&self) -> Interval {
        let utc = self.view().utc.expect("UTC is known");
        assert!(Self::truth().is_inside(utc), "{utc} misses {}", Self::truth());
        utc
    }

    #[track_caller]
    fn expect_state(&self, source: usize, state: SourceState) {
        let states = self.view().states;
        assert_eq!(states[source], state, "{states:?} {:?}", self.last);
        let others = states.iter().enumerate().filter(|(other, _)| *other != source);
        assert!(others.into_iter().all(|(_, state)| *state == SourceState::Ok), "{states:?}");
    }

    #[track_caller]
    fn expect_no_utc(&self, expected: fn(&NoUtc) -> bool) {
        let no = self.view().utc.expect_err("UTC is not known");
        assert!(expected(&no), "{no}");
    }
}
