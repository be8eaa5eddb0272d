//! Whatever happens in whatever order, P3 holds.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Connect(u64, u8),
    Close(u64),
    Pass(i64),
    Answer(u64, i64),
    Utc(bool),
    Ack(u64),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (1..4u64, prop::sample::select(vec![A, B])).prop_map(|(c, i)| Step::Connect(c, i)),
        1 => (1..4u64).prop_map(Step::Close),
        4 => prop::sample::select(vec![1, 500, 1_000, 1_000, 1_000]).prop_map(Step::Pass),
        9 => (1..4u64, prop::sample::select(vec![0, 0, 0, 0, 180, 400]))
            .prop_map(|(c, e)| Step::Answer(c, e)),
        1 => prop::bool::weighted(0.8).prop_map(Step::Utc),
        1 => (1..4u64).prop_map(Step::Ack),
        1 => Just(Step::Restart),
    ]
}

/// Leases that outlast the run of good probes by far, so that nothing but the admission keeps two
/// incarnations apart.
fn hasty_rules() -> Rules {
    Rules {
        ttl: Bound::from_millis(20_000),
        good_probes: 1,
        hold: Bound::ZERO,
        hold_latched: Bound::ZERO,
        ..rules(Rearm::Automatic)
    }
}

proptest! {
    /// Whatever happens in whatever order: no number is granted twice, nothing is granted without
    /// UTC, and no incarnation is granted a lease while another may still hold one (P3).
    #[test]
    fn at_most_one_incarnation_can_issue(steps in prop::collection::vec(step(), 0..120)) {
        let mut bench = Bench::with(hasty_rules(), Record::default());
        let mut unanswered: std::collections::BTreeMap<u64, Nonce> = Default::default();
        let mut durable = Record::default();
        let mut granted: Option<(Incarnation, RawInstant, LeaseSeq)> = None;
        let mut dead_up_to = LeaseSeq::default();
        for step in steps {
            match step {
                Step::Connect(conn, incarnation) => {
                    bench.handle(Event::Closed { conn: ConnId(conn) });
                    unanswered.remove(&conn);
                    bench.connect(conn, incarnation);
                }
                Step::Close(conn) => bench.handle(Event::Closed { conn: ConnId(conn) }),
                Step::Pass(ms) => bench.pass(ms),
                Step::Answer(conn, error) => {
                    let Some(nonce) = unanswered.remove(&conn) else { continue };
                    bench.answer(conn, nonce, error, None);
                }
                Step::Utc(known) => {
                    bench.utc = if known { Ok(utc()) } else { Err(NO_CONSENSUS) };
                    bench.handle(Event::Fused);
                }
                Step::Ack(conn) => {
                    let Some((_, _, newest)) = granted else { continue };
                    if bench.ward.connections.is_current(ConnId(conn)) {
                        dead_up_to = newest;
                    }
                    bench.handle(Event::RevocationAcked { conn: ConnId(conn), up_to: newest });
                }
                Step::Restart => {
                    let now_ms = bench.now_ms;
                    let now = RawInstant::from_nanos(now_ms * MS);
                    bench.ward = Ward::new(hasty_rules(), durable.clone(), now);
                    bench.out.clear();
                    unanswered.clear();
                }
            }
            for action in &bench.out {
                match action {
                    Action::Send(conn, ToTsu::Probe(nonce)) => {
                        unanswered.insert(conn.0, *nonce);
                    }
                    Action::Persist(record) => durable = record.clone(),
                    Action::Grant(_, record, terms) => {
                        prop_assert!(bench.utc.is_ok());
                        prop_assert!(terms.sequence > durable.sequence);
                        if let Some((holder, until, sequence)) = granted {
                            prop_assert!(terms.sequence > sequence);
                            let now = RawInstant::from_nanos(bench.now_ms * MS);
                            prop_assert!(
                                holder == terms.incarnation || now > until || sequence <= dead_up_to
                            );
                        }
                        durable = record.clone();
                        // The sample was read no later than now; the TSU counts from it.
                        let sampled = RawInstant::from_nanos(bench.now_ms * MS);
                        granted = Some((terms.incarnation, sampled.plus(terms.ttl), terms.sequence));
                    }
                    _ => {}
                }
            }
        }
    }
}
