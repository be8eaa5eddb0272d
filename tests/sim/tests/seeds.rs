//! The seeds that every change must pass: `cargo run -p chronolease-sim -- --seed N --trace` shows
//! the history of one.

use chronolease_core::broken::{Condition, kept, leave_out};
use chronolease_sim::oracle::Counts;
use chronolease_sim::world::{Options, simulate};

/// Nothing that was promised is broken in these worlds.
fn hold(seeds: std::ops::Range<u64>) -> Counts {
    hold_all(seeds.map(Options::of))
}

fn hold_all(worlds: impl Iterator<Item = Options>) -> Counts {
    let mut all = Counts::default();
    let mut broken = Vec::new();
    for options in worlds {
        let seed = options.seed;
        let oracle = simulate(options).oracle;
        all.add(&oracle.counts);
        broken.extend(oracle.violations.into_iter().map(|violation| (seed, violation)));
    }
    assert!(
        broken.is_empty(),
        "{broken:#?}\nreplay: cargo run -p chronolease-sim -- --seed N --trace"
    );
    println!("{} tokens of {} requests", all.tokens, all.requests);
    all
}

#[test]
fn the_first_hundred_seeds_break_no_promise() {
    let all = hold(0..100);
    assert!(all.tokens > 2_000, "{all:?}");
}

#[test]
fn the_second_hundred_seeds_break_no_promise() {
    let all = hold(100..200);
    assert!(all.tokens > 2_000, "{all:?}");
}

/// A process paused for less than a reading may take, after it had read `REAL`.
#[test]
fn a_reading_paused_after_real_was_read_counts_as_read_then() {
    let without_readers = Options { watched: false, ..Options::of(3_908) };
    let all = hold_all(std::iter::once(without_readers));
    assert!(all.tokens > 0, "{all:?}");
}

/// A token was signed just when the TSU was paused while it sampled, and its clock reader had died.
#[test]
fn a_pause_while_sampling_lets_no_token_leave_when_the_clock_reader_is_lost() {
    let all = hold(557..558);
    assert!(all.tokens > 0, "{all:?}");
}

/// Two TSUs under one monitor, each with its own box: the wards share UTC, the log and a process, and
/// nothing else.
#[test]
fn two_tsus_under_one_monitor_break_no_promise() {
    let (mut tokens, mut of_the_second, mut broken) = (0, 0, Vec::new());
    for seed in 0..40 {
        let oracle = simulate(Options { tsus: 2, ..Options::of(seed) }).oracle;
        (tokens, of_the_second) =
            (tokens + oracle.counts.tokens, of_the_second + oracle.second_tokens);
        broken.extend(oracle.violations.into_iter().map(|violation| (seed, violation)));
    }
    assert!(broken.is_empty(), "{broken:#?}\nreplay: with --seed N --tsus 2 --trace");
    println!("{tokens} tokens, {of_the_second} of them of the second TSU");
    assert!(of_the_second > 500 && tokens - of_the_second > 500, "{tokens}, {of_the_second}");
}

/// A monitor had just started, and its clock reader told of a set clock before its first turn.
#[test]
fn a_clock_set_between_the_first_look_and_the_first_turn_is_a_break() {
    let all = hold(8_981..8_982);
    assert!(all.tokens > 0, "{all:?}");
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in [3, 16, 38, 59] {
        let once = simulate(Options::of(seed));
        let again = simulate(Options::of(seed));
        assert_eq!(once.trace_hash, again.trace_hash, "seed {seed}");
        assert_eq!(once.oracle.counts, again.oracle.counts, "seed {seed}");
    }
    let (one, other) = (simulate(Options::of(3)), simulate(Options::of(4)));
    assert_ne!(one.trace_hash, other.trace_hash);
}

#[test]
fn a_condition_is_kept_until_a_thread_leaves_it_out_for_itself() {
    assert!(kept(Condition::Guard));
    leave_out(&[Condition::Guard]);
    assert!(!kept(Condition::Guard) && kept(Condition::Ttl));
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(kept(Condition::Guard))).join().expect("kept on another thread");
    });
    leave_out(&[]);
    assert!(kept(Condition::Guard));
}
