use std::collections::BTreeSet;

use chronolease_core::interval::Interval;
use chronolease_core::time::Ppb;
use chronolease_net::observe::Metrics;
use tokio::net::TcpListener;

use super::*;
use crate::core::ntp::PIVOT;
use crate::core::ntp::exchange::Caps;
use crate::core::ntp::packet::{Mode, Packet, RefId};
use crate::core::nts::ALPN;
use crate::core::nts::field::{self, Kind};
use crate::io::nts::testing::{Authority, Chronyd, Keeper, LONG, Relay, Scratch, year};

/// Far longer than anything here takes: only a hang runs into it.
const LONG_WAIT: Duration = Duration::from_secs(30);
/// For polls that nobody answers.
const SHORT_WAIT: Duration = Duration::from_millis(30);
const HOST: &str = "localhost";

fn clocks() -> Clocks {
    Clocks::open().expect("this box has clocks")
}

struct Bench {
    session: Session,
    target: Target,
    utc: watch::Sender<Option<KnownUtc>>,
    metrics: Metrics,
}

impl Bench {
    fn new(address: String, trust: Arc<Trust>) -> Self {
        let metrics = Metrics::new("test").expect("a fair name");
        let counted = NtsMetrics::new(&metrics).expect("fair names");
        counted.begin("lab", true);
        let (utc, known) = watch::channel(None);
        let retry_first = Bound::from_nanos(1);
        let setup = Setup { retry_first, patience: LONG_WAIT, ..Setup::new(trust, known, counted) };
        let caps = Caps {
            stratum_min: 1,
            stratum_max: 3,
            root_distance_max: Bound::from_millis(5_000),
            delay_max: Bound::from_millis(30_000),
            reference_age_max: Bound::from_millis(3_600_000),
        };
        let target = Target {
            name: "lab".to_owned(),
            address,
            caps,
            poll: LONG_WAIT,
            timeout: LONG_WAIT,
            nts: Some(setup.clone()),
        };
        Self { session: Session::new(setup), target, utc, metrics }
    }

    async fn poll(&mut self) -> PollResult {
        self.session.poll(&self.target, clocks(), PIVOT).await
    }

    /// A poll that is given up soon.
    async fn poll_briefly(&mut self) -> PollResult {
        self.target.timeout = SHORT_WAIT;
        let result = self.poll().await;
        self.target.timeout = LONG_WAIT;
        result
    }

    #[track_caller]
    fn assert_sample(&self, result: &PollResult) {
        let PollResult::Sample(sample) = result else { panic!("no sample: {result:?}") };
        assert!(sample.authenticated);
        // chronyd serves this box's own clock.
        let now = clocks().sample();
        let rho = Ppb::from_ppm(1_000);
        let interval = sample.at(now.raw_after, rho).widened(Bound::from_millis(100));
        let truth = now.real_minus_raw();
        assert!(interval.lo() <= truth && truth <= interval.hi(), "{interval} misses {truth}");
    }

    /// UTC becomes known: what this box's clock says, give or take a second.
    fn know_utc(&self) {
        let now = clocks().sample();
        let utc_minus_raw = Interval::within(Bound::from_millis(1_000));
        let utc_minus_raw = utc_minus_raw.shifted(now.real_minus_raw());
        let (at, rho) = (now.raw_after, Ppb::from_ppm(100));
        self.utc.send_replace(Some(KnownUtc { utc_minus_raw, at, rho }));
    }

    fn metric(&self, name: &str, label: &str) -> f64 {
        let families = self.metrics.registry().gather();
        let family = families.iter().find(|family| family.name() == format!("test_{name}"));
        let metrics = family.expect("registered").get_metric();
        let wanted = |metric: &&prometheus::proto::Metric| {
            label.is_empty() || metric.get_label().iter().any(|pair| pair.value() == label)
        };
        let metric = metrics.iter().find(wanted).expect("begun at zero");
        metric.get_counter().get_value() + metric.get_gauge().get_value()
    }

    fn exchanges(&self, result: &str) -> f64 {
        self.metric("nts_key_exchanges_total", result)
    }
}

/// A chronyd, a relay before it, and a client that trusts its authority.
async fn served(years: (i32, i32)) -> (Chronyd, Relay, Bench, Scratch) {
    let (scratch, authority) = (Scratch::new(), Authority::new());
    let chronyd = Chronyd::start(&authority.server(HOST, years));
    let relay = Relay::before(&chronyd).await;
    let bench = Bench::new(chronyd.keys(HOST), authority.trust(&scratch));
    (chronyd, relay, bench, scratch)
}

fn cookie(request: &[u8]) -> Vec<u8> {
    let mut fields = field::read(&request[Packet::LEN..]).map(|field| field.expect("ours"));
    fields.find(|field| field.kind == Kind::Cookie).expect("each has one").body.to_vec()
}

#[tokio::test]
async fn a_real_server_gives_authenticated_samples_and_the_jar_stays_full() {
    let (_chronyd, relay, mut bench, _scratch) = served(LONG).await;
    for _ in 0..3 {
        let result = bench.poll().await;
        bench.assert_sample(&result);
        assert_eq!(bench.metric("nts_cookies", ""), 8.0);
    }
    // Three answers are lost; the next one brings what they would have brought.
    relay.script(|_| vec![]);
    for _ in 0..3 {
        assert_eq!(bench.poll_briefly().await, PollResult::NoAnswer);
    }
    assert_eq!(bench.metric("nts_cookies", ""), 5.0);
    relay.script(|answer| vec![answer.to_vec()]);
    let result = bench.poll().await;
    bench.assert_sample(&result);
    assert_eq!((bench.metric("nts_cookies", ""), bench.exchanges("ok")), (8.0, 1.0));
    let requests = relay.requests();
    let cookies: BTreeSet<Vec<u8>> = requests.iter().map(|request| cookie(request)).collect();
    assert_eq!((requests.len(), cookies.len()), (7, 7), "no cookie is sent twice");
}

#[tokio::test]
async fn keys_are_exchanged_anew_when_the_cookies_are_spent() {
    let (_chronyd, relay, mut bench, _scratch) = served(LONG).await;
    relay.script(|_| vec![]);
    for _ in 0..8 {
        assert_eq!(bench.poll_briefly().await, PollResult::NoAnswer);
    }
    assert_eq!((bench.metric("nts_cookies", ""), bench.exchanges("ok")), (0.0, 1.0));
    relay.script(|answer| vec![answer.to_vec()]);
    let result = bench.poll().await;
    bench.assert_sample(&result);
    assert_eq!(bench.exchanges("ok"), 2.0);
}

/// Nothing is asked of a server that does not prove who it is.
#[tokio::test]
async fn a_wrong_root_and_a_wrong_name_are_refused_without_a_request() {
    let (chronyd, relay, mut good, scratch) = served(LONG).await;
    let stranger = Authority::new().trust(&scratch);
    let trusted = good.target.nts.as_ref().expect("under NTS").trust.clone();
    for (address, trust) in [(chronyd.keys(HOST), stranger), (chronyd.keys("127.0.0.1"), trusted)] {
        let mut bench = Bench::new(address, trust);
        for _ in 0..2 {
            assert_eq!(bench.poll().await, PollResult::Refused(Refused::KeyExchange));
        }
        assert!(bench.exchanges("tls") >= 1.0);
        assert_eq!(bench.exchanges("ok"), 0.0);
    }
    assert_eq!(relay.requests().len(), 0);
    let result = good.poll().await;
    good.assert_sample(&result);
}

#[tokio::test]
async fn an_expired_certificate_is_refused_by_the_fused_time() {
    let (_chronyd, relay, mut bench, _scratch) = served((2015, 2021)).await;
    bench.know_utc();
    assert_eq!(bench.poll().await, PollResult::Refused(Refused::KeyExchange));
    assert_eq!((bench.exchanges("tls"), relay.requests().len()), (1.0, 0));
}

#[tokio::test]
async fn dates_are_judged_as_soon_as_utc_is_known() {
    let next_year = (year() + 1, year() + 5);
    let (_chronyd, relay, mut bench, _scratch) = served(next_year).await;
    let result = bench.poll().await;
    bench.assert_sample(&result);
    // Before UTC is known nothing hurries.
    let due = bench.session.certificate_is_due();
    assert!(timeout(SHORT_WAIT, due).await.is_err());
    bench.know_utc();
    timeout(LONG_WAIT, bench.session.certificate_is_due()).await.expect("at once");
    let asked = relay.requests().len();
    assert_eq!(bench.poll().await, PollResult::Refused(Refused::Certificate));
    assert_eq!(bench.metric("nts_cookies", ""), 0.0);
    assert_eq!(bench.poll().await, PollResult::Refused(Refused::KeyExchange));
    assert_eq!(relay.requests().len(), asked, "it is not asked any more");
}

#[tokio::test]
async fn a_certificate_that_is_valid_stays_so_when_utc_is_known() {
    let (_chronyd, _relay, mut bench, _scratch) = served((year() - 1, year() + 2)).await;
    bench.poll().await;
    bench.know_utc();
    timeout(LONG_WAIT, bench.session.certificate_is_due()).await.expect("at once");
    let result = bench.poll().await;
    bench.assert_sample(&result);
    assert!(timeout(SHORT_WAIT, bench.session.certificate_is_due()).await.is_err());
    assert_eq!(bench.exchanges("ok"), 1.0);
    // After a break nobody knows the date, and what was judged is to be judged again.
    bench.utc.send_replace(None);
    let result = bench.poll().await;
    bench.assert_sample(&result);
    bench.know_utc();
    timeout(LONG_WAIT, bench.session.certificate_is_due()).await.expect("at once");
}

#[tokio::test]
async fn replayed_and_altered_answers_are_passed_over() {
    let (_chronyd, relay, mut bench, _scratch) = served(LONG).await;
    let mut last = Vec::new();
    relay.script(move |answer| {
        let altered = |at: usize| {
            let mut altered = answer.to_vec();
            altered[at] ^= 1;
            altered
        };
        // The origin, then T3, the identifier, and the seal.
        let replayed = std::mem::replace(&mut last, answer.to_vec());
        let forged = [24, 47, 60, answer.len() - 1].map(altered);
        let cut = answer[..Packet::LEN].to_vec();
        [vec![replayed, cut], forged.to_vec(), vec![answer.to_vec()]].concat()
    });
    for _ in 0..3 {
        let result = bench.poll().await;
        bench.assert_sample(&result);
    }
    let ignored = |reason| bench.metric("nts_ignored_total", reason);
    // Replayed twice (an empty one was first), and with another origin three times.
    assert_eq!(ignored("wrong-origin"), 6.0);
    assert_eq!((ignored("wrong-identifier"), ignored("forged")), (6.0, 6.0));

    relay.script(|answer| {
        let mut altered = answer.to_vec();
        altered[47] ^= 1;
        vec![altered]
    });
    assert_eq!(bench.poll_briefly().await, PollResult::NoAnswer);
}

#[tokio::test]
async fn a_server_that_lost_its_keys_is_asked_for_new_ones() {
    let (mut chronyd, _relay, mut bench, _scratch) = served(LONG).await;
    let result = bench.poll().await;
    bench.assert_sample(&result);
    chronyd.restart();
    // How soon the refusal comes is for the machine to say; each poll asks anew.
    while bench.exchanges("ok") < 2.0 {
        let result = bench.poll_briefly().await;
        assert!(!matches!(result, PollResult::Refused(_)), "{result:?}");
    }
    assert!(bench.metric("nts_cookies_refused_total", "") >= 1.0);
    let result = bench.poll().await;
    bench.assert_sample(&result);
}

#[tokio::test]
async fn a_forged_refusal_of_the_cookie_does_not_outweigh_the_answer() {
    let (_chronyd, relay, mut bench, _scratch) = served(LONG).await;
    relay.script(|answer| {
        // All that somebody on the path can know is right.
        let mut nak = answer[..Packet::LEN + 36].to_vec();
        nak[1] = 0;
        nak[12..16].copy_from_slice(b"NTSN");
        vec![nak, answer.to_vec()]
    });
    for _ in 0..3 {
        let result = bench.poll().await;
        bench.assert_sample(&result);
    }
    assert_eq!(bench.metric("nts_cookies_refused_total", ""), 3.0);
    assert_eq!(bench.exchanges("ok"), 1.0);
}

#[tokio::test]
async fn a_key_exchange_that_stalls_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound").to_string();
    let scratch = Scratch::new();
    let mut bench = Bench::new(address, Authority::new().trust(&scratch));
    bench.session.setup.patience = SHORT_WAIT;
    for _ in 0..2 {
        let result = bench.poll().await;
        assert!(matches!(result, PollResult::Failed(_)), "{result:?}");
    }
    assert!(bench.exchanges("timeout") >= 1.0);
    drop(listener);
    bench.session.setup.patience = LONG_WAIT;
    while bench.exchanges("unreachable") < 1.0 {
        assert!(matches!(bench.poll().await, PollResult::Failed(_)));
    }
}

/// A server that gives keys and says `header` whenever it is asked for the time.
async fn keeper(alpn: &[u8], records: &[u8], header: Packet) -> (Keeper, Bench, Scratch) {
    let (scratch, authority) = (Scratch::new(), Authority::new());
    let server = authority.server(HOST, LONG);
    let keeper = Keeper::start(&server, &[alpn], records.to_vec(), header).await;
    let bench = Bench::new(keeper.keys.clone(), authority.trust(&scratch));
    (keeper, bench, scratch)
}

const AGREED: [u8; 12] = [0x80, 1, 0, 2, 0, 0, 0x80, 4, 0, 2, 0, 15];
const END: [u8; 4] = [0x80, 0, 0, 0];

fn cookie_record() -> Vec<u8> {
    [&[0, 5, 0, 100][..], &[7; 100]].concat()
}

fn kiss(code: &[u8; 4]) -> Packet {
    let header = Packet::request(NtpTimestamp::default());
    Packet { mode: Mode::Server, reference_id: RefId(*code), ..header }
}

#[tokio::test]
async fn a_sealed_deny_is_obeyed() {
    for code in [b"DENY", b"RSTR"] {
        let records = [&AGREED[..], &cookie_record(), &cookie_record(), &END].concat();
        let (keeper, mut bench, _scratch) = keeper(ALPN, &records, kiss(code)).await;
        for _ in 0..3 {
            let result = bench.poll().await;
            assert!(matches!(result, PollResult::Refused(Refused::Kiss(_))), "{result:?}");
        }
        assert_eq!((keeper.asked(), bench.exchanges("ok")), (1, 1.0));
    }
    let records = [&AGREED[..], &cookie_record(), &cookie_record(), &END].concat();
    let (keeper, mut bench, _scratch) = keeper(ALPN, &records, kiss(b"RATE")).await;
    for _ in 0..2 {
        assert_eq!(bench.poll().await, PollResult::Refused(Refused::Kiss(Kiss::Rate)));
    }
    assert_eq!(keeper.asked(), 2, "that one is for the pace to obey");
}

#[tokio::test]
async fn a_key_exchange_that_says_anything_else_gives_no_keys() {
    let cookie = cookie_record();
    let endless = [0, 9, 0xff, 0xff].iter().copied().chain([7; 20_000]).collect::<Vec<u8>>();
    for (alpn, records) in [
        (&b"http/1.1"[..], [&AGREED[..], &cookie, &END].concat()),
        (b"", [&AGREED[..], &cookie, &END].concat()),
        (ALPN, [&AGREED[..], &END].concat()),
        (ALPN, [&AGREED[..], &cookie].concat()),
        (ALPN, [&AGREED[..], &[0x80, 2, 0, 2, 0, 1], &END].concat()),
        (ALPN, [&AGREED[..], &[0xca, 0xbc, 0, 0], &cookie, &END].concat()),
        (ALPN, endless),
    ] {
        let (keeper, mut bench, _scratch) = keeper(alpn, &records, kiss(b"NONE")).await;
        let result = bench.poll().await;
        assert_eq!(result, PollResult::Refused(Refused::KeyExchange), "{alpn:?} {records:?}");
        assert_eq!((keeper.asked(), bench.exchanges("ok")), (0, 0.0));
    }
}
