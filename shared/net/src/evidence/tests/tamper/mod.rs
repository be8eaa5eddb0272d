//! Everything that somebody with access to the folder can do to a small log, counted: 100 % of it
//! is found, or takes nothing away and adds nothing.

mod forged;

use super::*;
use crate::evidence::format::{Found, Header, Kind, Seed, frame_at};

/// How an act of tampering ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The log is refused for what it holds.
    Refused,
    /// It is refused for what the checkpoints say.
    RefusedByKnown,
    /// The log is as it was up to its last commit, and the garbage behind is reported.
    Reported,
    /// The log is as it was up to its last commit, and nothing but zeros is behind.
    Harmless,
    /// The log was changed and passes.
    Unnoticed,
}

/// Three batches in two segments.
struct Sample {
    bench: Bench,
    known: [Known; 1],
    /// The files of the segments with the place of their first leaf.
    segments: [(u64, Vec<u8>); 2],
}

fn sample() -> Sample {
    let bench = Bench::new();
    let owner = bench.create().expect("created");
    owner.log().append_blocking(entries(&["one", "two two"])).expect("written");
    owner.log().append_blocking(entries(&["three"])).expect("written");
    bench.age();
    owner.log().append_blocking(entries(&["four", "five five"])).expect("written");
    let known = known(owner.log().head());
    owner.close();
    let contents = bench.disk.contents();
    let segments = [0, 3].map(|first| (first, contents[&segment(first)].clone()));
    Sample { bench, known, segments }
}

impl Sample {
    /// What becomes of the log when these files are changed.
    fn judge(&self, changes: &[(u64, Option<Vec<u8>>)]) -> Outcome {
        let bench = Bench::on(self.bench.disk.durable_copy());
        for (first, bytes) in changes {
            bench.disk.tamper(&segment(*first), bytes.clone());
        }
        let Ok(survey) = bench.survey(&[]) else { return Outcome::Refused };
        if bench.survey(&self.known).is_err() {
            return Outcome::RefusedByKnown;
        }
        let rests: Option<Vec<_>> = changes.iter().map(|change| self.behind(change)).collect();
        match (rests, survey.torn_tail()) {
            (Some(_), Some(_)) => Outcome::Reported,
            (Some(rests), None) if rests.concat().iter().all(|byte| *byte == 0) => {
                Outcome::Harmless
            }
            _ => Outcome::Unnoticed,
        }
    }

    /// What a changed file holds behind its last commit, if it is as it was up to there.
    fn behind<'a>(&self, (first, bytes): &'a (u64, Option<Vec<u8>>)) -> Option<&'a [u8]> {
        let (_, whole) = self.segments.iter().find(|(other, _)| other == first)?;
        bytes.as_ref()?.strip_prefix(&whole[..frames(whole).2])
    }

    fn judge_one(&self, first: u64, bytes: Vec<u8>) -> Outcome {
        self.judge(&[(first, Some(bytes))])
    }
}

fn is_found(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused | Outcome::RefusedByKnown)
}

/// Where a frame begins, its kind and its payload.
type Parsed = (usize, Kind, Vec<u8>);

/// The frames of a segment, and where they end.
fn frames(segment: &[u8]) -> (Seed, Vec<Parsed>, usize) {
    let (_, seed) = Header::decode(segment).expect("sound");
    let mut found = Vec::new();
    let mut at = HEADER_BYTES as usize;
    while let Found::Frame(frame) = frame_at(segment, at, 0, seed) {
        found.push((at, frame.kind, frame.payload.to_vec()));
        at = frame.end;
    }
    (seed, found, at)
}

#[test]
fn the_sample_is_what_it_should_be() {
    let sample = sample();
    assert_eq!(sample.judge(&[]), Outcome::Harmless);
    let [(_, first), (_, second)] = &sample.segments;
    let kinds = |segment: &[u8]| frames(segment).1.iter().map(|f| f.1).collect::<Vec<_>>();
    use Kind::{Commit, Leaf};
    assert_eq!(kinds(first), [Leaf, Leaf, Commit, Leaf, Commit]);
    assert_eq!(kinds(second), [Leaf, Leaf, Commit]);
    assert_eq!(frames(first).2, first.len(), "it was cut when it was closed");
    assert_eq!(second.len() as u64, SEGMENT_BYTES);
}

#[test]
fn every_act_of_tampering_is_found() {
    type Act = fn(&Sample) -> Vec<Outcome>;
    let acts: [(&str, Act); 7] = [
        ("bytes flipped", flipped_bytes),
        ("truncated or longer", truncations),
        ("frames removed, swapped, repeated", forged::orders),
        ("headers changed, with valid checksums", forged::headers),
        ("payloads changed, with valid checksums", forged::payloads),
        ("payloads of other lengths and kinds, with valid checksums", forged::shapes),
        ("segments gone, swapped, strange", misplaced_segments),
    ];
    let sample = sample();
    let mut all = Vec::new();
    for (what, act) in acts {
        let outcomes = act(&sample);
        report(what, &outcomes);
        all.extend(outcomes);
    }
    let unnoticed = report("all", &all);
    assert_eq!((unnoticed, all.len() > 5_000), (0, true), "100 % is found");
}

/// Prints the counts; returns how many were not noticed.
fn report(what: &str, outcomes: &[Outcome]) -> usize {
    let count = |wanted| outcomes.iter().filter(|outcome| **outcome == wanted).count();
    let unnoticed = count(Outcome::Unnoticed);
    println!(
        "{what}: {} cases: {} refused, {} refused by a checkpoint, {} reported as torn tail, \
         {} harmless, {unnoticed} unnoticed",
        outcomes.len(),
        count(Outcome::Refused),
        count(Outcome::RefusedByKnown),
        count(Outcome::Reported),
        count(Outcome::Harmless),
    );
    unnoticed
}

fn flipped_bytes(sample: &Sample) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for (first, bytes) in &sample.segments {
        let used = frames(bytes).2;
        for at in 0..bytes.len() {
            // In the empty rest one way of being wrong is like the other.
            let masks = if at < used { &[0x01, 0x80, 0xff][..] } else { &[0x01] };
            for mask in masks {
                let mut flipped = bytes.clone();
                flipped[at] ^= mask;
                let outcome = sample.judge_one(*first, flipped);
                let expected =
                    if at < used { is_found(&outcome) } else { outcome == Outcome::Reported };
                assert!(expected, "segment {first}, byte {at}: {outcome:?}");
                outcomes.push(outcome);
            }
        }
    }
    outcomes
}

fn truncations(sample: &Sample) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for (first, bytes) in &sample.segments {
        let used = frames(bytes).2;
        for length in 0..bytes.len() {
            let outcome = sample.judge_one(*first, bytes[..length].to_vec());
            // Cut where the last commit ends, it is as if it had been closed: all is there.
            let expected_loss = length != used;
            assert_eq!(is_found(&outcome), expected_loss, "segment {first}, {length} bytes");
            outcomes.push(outcome);
        }
        for more in [1, 100, 5_000] {
            let longer = [bytes.as_slice(), &vec![0; more]].concat();
            let outcome = sample.judge_one(*first, longer);
            assert_eq!(outcome, Outcome::Refused, "segment {first}, {more} more bytes");
            outcomes.push(outcome);
        }
    }
    assert_eq!(outcomes.iter().filter(|o| **o == Outcome::Harmless).count(), 1);
    outcomes
}

fn misplaced_segments(sample: &Sample) -> Vec<Outcome> {
    let [first, second] = sample.segments.each_ref().map(|(_, bytes)| Some(bytes.clone()));
    let outcomes = [
        sample.judge(&[(0, None)]),
        sample.judge(&[(3, None)]),
        sample.judge(&[(0, None), (3, None)]),
        sample.judge(&[(0, second.clone()), (3, first.clone())]),
        sample.judge(&[(0, second.clone())]),
        sample.judge(&[(3, first.clone())]),
        sample.judge(&[(5, first.clone())]),
        sample.judge(&[(5, second.clone())]),
        sample.judge(&[(3, None), (4, second)]),
        sample.judge(&[(0, None), (1, first)]),
        sample.judge(&[(0, Some(Vec::new()))]),
    ];
    assert!(outcomes.iter().all(is_found), "{outcomes:?}");
    outcomes.to_vec()
}

#[test]
fn a_strange_file_among_the_segments_is_refused() {
    let sample = sample();
    sample.bench.disk.tamper(Path::new("/log/segment/stray"), Some(Vec::new()));
    let stray = Refused::UnknownFile("stray".to_owned());
    assert_eq!(sample.bench.survey(&[]).expect_err("strange"), stray);
}
