//! What the kernels of both boxes hold of their own clocks: shown, told and on record, and nothing
//! rests on it.

use chronolease_core::clock_reader::{
    Account, ClockReport, KernelState, KernelStatus, Machine, Marker, Pps, TimeState,
};
use chronolease_core::evidence::leaf::KernelChange;
use chronolease_core::id::ReaderRun;
use chronolease_core::leap::list::{LeapList, history, write_list};
use chronolease_core::leap::month_end::MonthEnd;
use chronolease_core::time::Timestamp;
use prometheus::Encoder;

use super::*;

const SYNCHRONISED: KernelState = KernelState {
    state: TimeState::Ok,
    status: KernelStatus::from_bits(0x2001),
    max_error: Bound::from_millis(3),
    estimated_error: Bound::from_millis(1),
    offset: Span::ZERO,
    frequency_ppb: 0,
    tai_offset_s: 37,
};

const UNSYNCHRONISED: KernelState = KernelState {
    state: TimeState::Error,
    status: KernelStatus::from_bits(0x2041),
    max_error: Bound::from_millis(16_000),
    ..SYNCHRONISED
};

const WRONG_TAI: KernelState = KernelState { tai_offset_s: 36, ..SYNCHRONISED };

fn word(kernel: KernelState) -> ReaderWord {
    let heard = Ok(Account { kernel: Ok(kernel), marker: Marker::Absent });
    ReaderWord { steps: 0, disruptions: 0, heard }
}

/// Box B's clocks, with a reader that tells of this kernel.
fn reading(at_ms: i64, kernel: KernelState) -> Reading {
    let sample = sample(at_ms);
    let mut watch = ClockWatch::new(sample.boot_id, Bound::MAX);
    let report = ClockReport {
        run: ReaderRun::from_bytes([1; 16]),
        sequence: 1,
        sample,
        kernel: Ok(kernel),
        steps: None,
        machine: Machine::Physical,
        marker: Marker::Absent,
        pps: Pps::Absent,
    };
    watch.on_report(sample.raw_after, report);
    Reading { sample, reader: watch.view(sample.raw_after) }
}

/// A turn of the engine in which both kernels are like this, and the TSU answers a probe.
fn turn(bench: &mut Bench, at_ms: i64, kernel: KernelState) {
    bench.reader = word(kernel);
    bench.tick(at_ms);
    bench.answered(at_ms + 10, 0);
    let reading = reading(at_ms + 20, kernel);
    super::super::kernels::note(&mut bench.engine, &reading);
    bench.engine.metrics.reader(&reading.reader.word());
    let view = bench.engine.leap.look(&mut bench.engine.sources, reading.sample.raw_after);
    bench.engine.record(&reading.sample, &view);
    bench.engine.show(&reading.sample, &view);
}

/// The lines of a family, as Prometheus reads them.
fn shown(bench: &Bench, family: &str) -> Vec<String> {
    let mut text = Vec::new();
    let families = bench.engine.metrics.registry().gather();
    prometheus::TextEncoder::new().encode(&families, &mut text).expect("UTF-8");
    let text = String::from_utf8(text).expect("UTF-8");
    let name = format!("chronolease_monitor_{family}");
    let of = |line: &&str| line.strip_prefix(&name).is_some_and(|rest| !rest.starts_with('_'));
    text.lines().filter(of).map(|line| line[name.len()..].to_owned()).collect()
}

/// What is on record of both kernels: whose, and what it said.
fn recorded(bench: Bench, log: &TestLog, evidence: Evidence) -> Vec<(bool, KernelState)> {
    bench.engine.records.finish(&sample(60_000));
    assert!(close(evidence));
    let change = |event: leaf::Event| match event {
        leaf::Event::KernelChange(KernelChange { tsu, word }) => {
            let account = word.heard.expect("heard");
            Some((tsu.is_none(), account.kernel.expect("plausible")))
        }
        _ => None,
    };
    log.events().into_iter().filter_map(change).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kernel_that_is_not_synchronised_is_shown_and_on_record_and_ends_nothing() {
    let log = TestLog::new();
    let evidence = log.open();
    let mut bench = Bench::ready(&log, &evidence);
    for (at_ms, kernel, flag) in
        [(1_010, SYNCHRONISED, 0), (2_010, UNSYNCHRONISED, 1), (3_010, SYNCHRONISED, 0)]
    {
        turn(&mut bench, at_ms, kernel);
        assert_eq!(shown(&bench, "kernel_unsynchronised"), [format!(" {flag}")]);
        let of_tsu = format!("{{tsu=\"tsu-1\"}} {flag}");
        assert_eq!(shown(&bench, "tsu_kernel_unsynchronised"), [of_tsu]);
        let sent = bench.sent();
        assert_eq!((grants(&sent), revoked(&sent)), (1, None), "granted or renewed");
    }
    let all = [SYNCHRONISED, UNSYNCHRONISED, SYNCHRONISED];
    let expected: Vec<_> = all.iter().flat_map(|it| [(true, *it), (false, *it)]).collect();
    assert_eq!(recorded(bench, &log, evidence), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_tai_offset_is_a_finding_shown_and_on_record_and_ends_nothing() {
    let log = TestLog::new();
    let evidence = log.open();
    let mut bench = Bench::ready(&log, &evidence);
    let now = Timestamp::from_unix_nanos(OFFSET);
    let end = MonthEnd::containing(now);
    let expires = end.instant() + Span::from_millis(400 * 86_400_000);
    let list = write_list(end.previous().instant(), expires, &history());
    bench.engine.leap.set_list(Some(LeapList::parse(list.as_bytes(), None).expect("sound")));
    for (at_ms, kernel, findings) in [(1_010, SYNCHRONISED, 0), (2_010, WRONG_TAI, 2)] {
        turn(&mut bench, at_ms, kernel);
        // The plan is made anew with the next look.
        let view = bench.engine.leap.look(&mut bench.engine.sources, sample(at_ms).raw_after);
        bench.engine.show(&sample(at_ms + 30), &view);
        let critical = format!("{{severity=\"critical\"}} {findings}");
        assert!(shown(&bench, "leap_findings").contains(&critical), "{critical}");
        let plan = bench.engine.leap.words().to_owned();
        for owner in ["monitor", "tsu-1"] {
            let told = format!("the kernel of {owner} has TAI - UTC = 36 s, the list 37 s");
            assert_eq!(plan.contains(&told), findings > 0, "{plan}");
        }
        let offset = f64::from(kernel.tai_offset_s);
        assert_eq!(shown(&bench, "kernel_tai_offset_seconds"), [format!(" {offset}")]);
        let sent = bench.sent();
        assert_eq!((grants(&sent), revoked(&sent)), (1, None), "granted or renewed");
    }
    let all = [SYNCHRONISED, WRONG_TAI];
    let expected: Vec<_> = all.iter().flat_map(|it| [(true, *it), (false, *it)]).collect();
    assert_eq!(recorded(bench, &log, evidence), expected);
}
