use proptest::prelude::*;

use super::super::PIVOT;
use super::super::packet::{NtpShort, Precision};
use super::*;

const NONCE: NtpTimestamp = NtpTimestamp::from_bits(0x0123_4567_89ab_cdef);
const SENT: RawInstant = RawInstant::from_nanos(5_000_000_000);
const RECEIVED: RawInstant = RawInstant::from_nanos(5_020_000_000);
const RHO: Ppb = Ppb::from_ppm(100);

fn caps() -> Caps {
    Caps {
        stratum_min: 1,
        stratum_max: 3,
        root_distance_max: Bound::from_millis(50),
        delay_max: Bound::from_millis(100),
        reference_age_max: Bound::from_millis(4_096_000),
    }
}

fn after_pivot(ns: i64) -> NtpTimestamp {
    NtpTimestamp::from_utc(PIVOT + Span::from_nanos(ns))
}

/// A sound answer: T2 is 1 s after the pivot, T3 4 ms later.
fn answer() -> Packet {
    Packet {
        leap: LeapIndicator::NoWarning,
        version: 4,
        mode: Mode::Server,
        stratum: 1,
        poll: 4,
        precision: Precision(-30),
        root_delay: NtpShort::from_bits(0x80), // 1.953125 ms
        root_dispersion: NtpShort::from_bits(0x40), // 0.976563 ms
        reference_id: RefId(*b"PPS\0"),
        reference: after_pivot(-9_000_000_000),
        origin: NONCE,
        receive: after_pivot(1_000_000_000),
        transmit: after_pivot(1_004_000_000),
    }
}

fn complete(packet: &Packet) -> Result<SourceSample, Refused> {
    Exchange::new(NONCE, SENT).complete(&packet.to_bytes(), RECEIVED, &caps(), PIVOT)
}

fn interval(lo: i64, hi: i64) -> Interval {
    Interval::new(Span::from_nanos(lo), Span::from_nanos(hi)).expect("lo <= hi")
}

#[test]
fn a_sound_answer_gives_the_interval_of_its_four_timestamps() {
    let sample = complete(&answer()).expect("sound");
    let root_distance = 976_563 + 976_563 + 1;
    let pivot = PIVOT.as_unix_nanos();
    let lo = pivot + 1_004_000_000 - 5_020_000_000 - root_distance;
    let hi = pivot + 1_000_000_001 - 5_000_000_000 + root_distance;
    assert_eq!(
        sample,
        SourceSample {
            utc_minus_raw: interval(lo, hi),
            sent: SENT,
            received: RECEIVED,
            delay: Bound::from_nanos(16_000_001),
            root_distance: Bound::from_nanos(root_distance.unsigned_abs()),
            stratum: 1,
            leap: LeapIndicator::NoWarning,
            reference_id: RefId(*b"PPS\0"),
            authenticated: false,
        }
    );
    // Ten seconds after T1, whichever end of the exchange is nearer.
    let later = RawInstant::from_nanos(SENT.as_nanos() + 10_000_000_000);
    assert_eq!(sample.at(later, RHO), interval(lo - 1_000_000, hi + 1_000_000));
    let earlier = RawInstant::from_nanos(RECEIVED.as_nanos() - 10_000_000_000);
    assert_eq!(sample.at(earlier, RHO), interval(lo - 1_000_000, hi + 1_000_000));
}

/// Every refusal, with the packet that earns it.
fn refusals() -> Vec<(&'static str, Packet, Meaning)> {
    use Meaning::{Ignored, NoSample, Withdrawn};
    let kiss = |code: &[u8; 4]| Packet {
        leap: LeapIndicator::Unsynchronised,
        stratum: 0,
        reference_id: RefId(*code),
        receive: NtpTimestamp::default(),
        transmit: NtpTimestamp::default(),
        ..answer()
    };
    let stratum = |stratum| Packet { stratum, ..answer() };
    let leap = LeapIndicator::Unsynchronised;
    let zero = NtpTimestamp::default();
    let slow = NtpShort::from_bits(0x2000); // 125 ms
    vec![
        ("wrong-origin", Packet { origin: zero, ..answer() }, Ignored),
        ("wrong-origin", Packet { origin: zero, ..kiss(b"DENY") }, Ignored),
        ("version", Packet { version: 2, ..answer() }, Withdrawn),
        ("version", Packet { version: 5, ..answer() }, Withdrawn),
        ("mode", Packet { mode: Mode::Broadcast, ..answer() }, Withdrawn),
        ("mode", Packet { mode: Mode::Client, ..kiss(b"DENY") }, Withdrawn),
        ("kiss-rate", kiss(b"RATE"), NoSample),
        ("kiss-deny", kiss(b"DENY"), NoSample),
        ("kiss-rstr", kiss(b"RSTR"), NoSample),
        ("unsynchronised", kiss(b"INIT"), Withdrawn),
        ("unsynchronised", kiss(&[0; 4]), Withdrawn),
        ("unsynchronised", Packet { leap, ..answer() }, Withdrawn),
        ("stratum", stratum(0), Withdrawn),
        ("stratum", stratum(4), Withdrawn),
        ("stratum", stratum(16), Withdrawn),
        ("smear", Packet { reference_id: RefId([254, 0, 0, 1]), ..answer() }, Withdrawn),
        ("no-timestamps", Packet { receive: zero, ..answer() }, Withdrawn),
        ("no-timestamps", Packet { transmit: zero, ..answer() }, Withdrawn),
        ("no-reference-time", Packet { reference: zero, ..answer() }, Withdrawn),
        (
            "stale-reference-time",
            Packet { reference: after_pivot(-4_095_995_000_001), ..answer() },
            Withdrawn,
        ),
        (
            "stale-reference-time",
            Packet { reference: after_pivot(4_097_005_000_000), ..answer() },
            Withdrawn,
        ),
        ("root-distance", Packet { root_delay: slow, ..answer() }, Withdrawn),
        ("root-distance", Packet { root_dispersion: slow, ..answer() }, Withdrawn),
        ("root-distance", Packet { precision: Precision(-4), ..answer() }, Withdrawn),
        ("negative-delay", Packet { transmit: after_pivot(1_020_000_002), ..answer() }, Withdrawn),
        ("delay", Packet { transmit: after_pivot(919_999_999), ..answer() }, NoSample),
    ]
}

#[test]
fn every_refusal_is_named_and_classed() {
    for (label, packet, meaning) in refusals() {
        let refused = complete(&packet).expect_err(label);
        assert_eq!((refused.label(), refused.meaning()), (label, meaning), "{refused}");
    }
    let short = Exchange::new(NONCE, SENT).complete(&[0; 47], RECEIVED, &caps(), PIVOT);
    let short = short.expect_err("short");
    assert_eq!((short.label(), short.meaning()), ("short", Meaning::Ignored));
}

#[test]
fn what_lies_on_a_limit_passes() {
    for packet in [
        Packet { version: 3, ..answer() },
        Packet { stratum: 3, ..answer() },
        Packet { leap: LeapIndicator::Insert, ..answer() },
        Packet { reference: after_pivot(-4_094_996_000_000), ..answer() },
        Packet { transmit: after_pivot(1_020_000_000), ..answer() },
    ] {
        assert!(complete(&packet).is_ok(), "{packet:?}");
    }
}

#[test]
fn caps_never_let_an_unsynchronised_stratum_pass() {
    let wide = Caps { stratum_min: 0, stratum_max: 255, ..caps() };
    for stratum in [0, 16, 255] {
        let packet = Packet { stratum, ..answer() };
        let result =
            Exchange::new(NONCE, SENT).complete(&packet.to_bytes(), RECEIVED, &wide, PIVOT);
        assert_eq!(result, Err(Refused::Stratum { stratum }));
    }
}

#[test]
fn an_exchange_across_the_end_of_the_era_is_a_plain_exchange() {
    let rollover = 2_085_978_496_000_000_000; // 2036-02-07 06:28:16
    let at = |ns| NtpTimestamp::from_utc(Timestamp::from_unix_nanos(rollover + ns));
    let packet = Packet {
        reference: at(-16_000_000_000),
        receive: at(-2_000_000),
        transmit: at(2_000_000),
        ..answer()
    };
    let sample = complete(&packet).expect("sound");
    let truth = Span::from_nanos(rollover - (SENT.as_nanos() + 10_000_000));
    assert!(sample.utc_minus_raw.lo() < truth && truth < sample.utc_minus_raw.hi());
    assert_eq!(sample.delay, Bound::from_nanos(16_000_001));
}

/// 68 years from the pivot the unfolding jumps by an era. An exchange there must not be torn apart.
#[test]
fn an_exchange_across_the_seam_of_the_unfolding_stays_whole() {
    let seam = (1 << 31) * 1_000_000_000;
    let receive = after_pivot(seam - 2_000_000);
    let transmit = after_pivot(seam + 2_000_000);
    let packet = Packet { reference: receive, receive, transmit, ..answer() };
    assert_eq!(complete(&packet).expect("sound").delay, Bound::from_nanos(16_000_001));
}

/// An exchange as it really went, in nanoseconds of true time since the request.
#[derive(Clone, Debug)]
struct Truth {
    there: i64,
    residence: i64,
    back: i64,
    /// The server's error at T2 and at T3; honest while within the root distance it states.
    errors: (i64, i64),
    root_delay: u32,
    root_dispersion: u32,
    /// The oscillator's rate error, ppb.
    rate: i64,
}

impl Truth {
    /// Where the oscillator stands, `ns` of true time after the request.
    fn raw(&self, ns: i64) -> RawInstant {
        let drift = i128::from(ns) * i128::from(self.rate) / 1_000_000_000;
        RawInstant::from_nanos(SENT.as_nanos() + ns + i64::try_from(drift).expect("small"))
    }

    fn utc_minus_raw(&self, ns: i64) -> Span {
        Span::from_nanos(PIVOT.as_unix_nanos() + ns - self.raw(ns).as_nanos())
    }

    fn duration(&self) -> i64 {
        self.there + self.residence + self.back
    }

    fn sample(&self, lie: i64) -> Result<SourceSample, Refused> {
        let left = self.there + self.residence;
        let packet = Packet {
            root_delay: NtpShort::from_bits(self.root_delay),
            root_dispersion: NtpShort::from_bits(self.root_dispersion),
            reference: after_pivot(lie - 5_000_000_000),
            receive: after_pivot(lie + self.there + self.errors.0),
            transmit: after_pivot(lie + left + self.errors.1),
            ..answer()
        };
        let wide = Caps { delay_max: Bound::from_millis(20_000), ..caps() };
        Exchange::new(NONCE, self.raw(0)).complete(
            &packet.to_bytes(),
            self.raw(self.duration()),
            &wide,
            PIVOT,
        )
    }
}

fn truth() -> impl Strategy<Value = Truth> {
    // A server's clock may be off by what it states, but within one exchange it is off by the
    // same amount; otherwise its delay could come out negative, which is refused.
    (
        (0..2_000_000_000i64, 0..1_000_000_000i64, 1_000_000..2_000_000_000i64),
        (0..3_000u32, 0..1_500u32),
        -1_000..=1_000i64,
        -99_000..=99_000i64,
    )
        .prop_map(
            |((there, residence, back), (root_delay, root_dispersion), permille, rate)| {
                let half = NtpShort::from_bits(root_delay).as_bound().as_nanos() / 2;
                let stated = half + NtpShort::from_bits(root_dispersion).as_bound().as_nanos();
                let error = i64::try_from(stated).expect("small") * permille / 1_000;
                Truth {
                    there,
                    residence,
                    back,
                    errors: (error, error),
                    root_delay,
                    root_dispersion,
                    rate,
                }
            },
        )
}

proptest! {
    /// The theorem every vote stands on: however unequal the two ways, and wherever within its
    /// stated distance the server's clock is, the interval holds the truth, then and later.
    #[test]
    fn an_honest_answer_holds_the_truth(truth in truth(), later in 0..4_000_000_000_000i64) {
        let sample = truth.sample(0).expect("honest");
        for ns in [0, truth.there, truth.duration(), truth.duration() + later] {
            let interval = sample.at(truth.raw(ns), RHO);
            let now = truth.utc_minus_raw(ns);
            prop_assert!(interval.lo() <= now && now <= interval.hi(), "{ns}: {interval} {now}");
        }
    }

    #[test]
    fn a_lie_moves_the_interval_by_itself(
        truth in truth(),
        lie in -1_000_000_000_000_000_000..1_000_000_000_000_000_000i64,
    ) {
        let (honest, lying) = (truth.sample(0).expect("honest"), truth.sample(lie).expect("bold"));
        let by = Span::from_nanos(lie);
        prop_assert_eq!(lying.utc_minus_raw.lo(), honest.utc_minus_raw.lo() + by);
        prop_assert_eq!(lying.utc_minus_raw.hi(), honest.utc_minus_raw.hi() + by);
    }

    #[test]
    fn no_datagram_makes_it_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..100),
        raw in any::<(i64, i64)>(),
        ours in any::<bool>(),
    ) {
        if ours && bytes.len() >= Packet::LEN {
            bytes[24..32].copy_from_slice(&NONCE.as_bits().to_be_bytes());
            (bytes[0], bytes[1]) = (0x24, 1);
        }
        let unlimited = Caps {
            root_distance_max: Bound::MAX,
            delay_max: Bound::MAX,
            reference_age_max: Bound::MAX,
            ..caps()
        };
        let (sent, received) = (RawInstant::from_nanos(raw.0), RawInstant::from_nanos(raw.1));
        if let Ok(sample) = Exchange::new(NONCE, sent).complete(&bytes, received, &unlimited, PIVOT)
        {
            prop_assert!(sample.at(received, RHO).width() >= sample.delay);
        }
    }
}
