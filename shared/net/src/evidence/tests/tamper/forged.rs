//! Tampering by somebody who knows how to compute the checksums.

use super::*;
use crate::evidence::format::put_frame;

/// A segment with these frames, made by somebody who knows how to compute the checksums.
fn segment_of(header: &[u8], seed: Seed, frames: &[Parsed], length: usize) -> Vec<u8> {
    let mut bytes = header.to_vec();
    for (_, kind, payload) in frames {
        put_frame(&mut bytes, 0, seed, *kind, payload);
    }
    bytes.resize(length.max(bytes.len()), 0);
    bytes
}

/// Every list that differs from `whole` by one element removed or repeated, or two swapped.
fn variations<T: Clone>(whole: &[T]) -> Vec<Vec<T>> {
    let mut lists = Vec::new();
    for at in 0..whole.len() {
        let mut removed = whole.to_vec();
        removed.remove(at);
        lists.push(removed);
        for to in 0..=whole.len() {
            let mut repeated = whole.to_vec();
            repeated.insert(to, whole[at].clone());
            lists.push(repeated);
        }
        for other in at + 1..whole.len() {
            let mut swapped = whole.to_vec();
            swapped.swap(at, other);
            lists.push(swapped);
        }
    }
    lists
}

pub(super) fn orders(sample: &Sample) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for (first, bytes) in &sample.segments {
        let (seed, found, _) = frames(bytes);
        let header = &bytes[..HEADER_BYTES as usize];
        for list in variations(&found) {
            // As it stands, and by somebody who knows how to compute the checksums.
            let mut raw = header.to_vec();
            for (at, _, payload) in &list {
                raw.extend_from_slice(&bytes[*at..*at + 9 + payload.len()]);
            }
            for mut tampered in [raw, segment_of(header, seed, &list, 0)] {
                for length in [tampered.len(), SEGMENT_BYTES as usize] {
                    tampered.resize(length, 0);
                    let outcome = sample.judge_one(*first, tampered.clone());
                    // Something added behind the last commit takes nothing away.
                    let reported = outcome == Outcome::Reported && list.starts_with(&found);
                    assert!(is_found(&outcome) || reported, "segment {first}: {outcome:?}");
                    outcomes.push(outcome);
                }
            }
        }
    }
    outcomes
}

pub(super) fn headers(sample: &Sample) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for (first, bytes) in &sample.segments {
        let (_, found, _) = frames(bytes);
        // All but the checksum, which is computed again.
        for at in 0..HEADER_BYTES as usize - 4 {
            let mut header = bytes[..HEADER_BYTES as usize - 4].to_vec();
            header[at] ^= 0x01;
            let sum = crc32fast::hash(&header);
            header.extend_from_slice(&sum.to_be_bytes());
            // Magic and version need no frames to be wrong.
            let seed = Header::decode(&header).map(|(_, seed)| seed);
            let tampered = match seed {
                Ok(seed) => segment_of(&header, seed, &found, bytes.len()),
                Err(_) => header,
            };
            outcomes.push(sample.judge_one(*first, tampered));
        }
    }
    assert!(outcomes.iter().all(is_found), "{outcomes:?}");
    outcomes
}

pub(super) fn payloads(sample: &Sample) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for (first, bytes) in &sample.segments {
        let (seed, found, _) = frames(bytes);
        for (n, (_, _, payload)) in found.iter().enumerate() {
            for (at, mask) in (0..payload.len()).flat_map(|at| [0x01, 0x80, 0xff].map(|m| (at, m)))
            {
                let mut list = found.clone();
                list[n].2[at] ^= mask;
                let header = &bytes[..HEADER_BYTES as usize];
                let outcome =
                    sample.judge_one(*first, segment_of(header, seed, &list, bytes.len()));
                assert!(is_found(&outcome), "segment {first}, frame {n}, byte {at}: {outcome:?}");
                outcomes.push(outcome);
            }
        }
    }
    outcomes
}

pub(super) fn shapes(sample: &Sample) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for (first, bytes) in &sample.segments {
        let (seed, found, _) = frames(bytes);
        for n in 0..found.len() {
            let (_, kind, payload) = &found[n];
            let other = if *kind == Kind::Leaf { Kind::Commit } else { Kind::Leaf };
            let shorter = (0..payload.len()).map(|length| (*kind, payload[..length].to_vec()));
            let longer =
                [1, 2, 90].map(|more| (*kind, [payload.as_slice(), &vec![0; more]].concat()));
            for (kind, payload) in shorter.chain(longer).chain([(other, payload.clone())]) {
                let mut list = found.clone();
                (list[n].1, list[n].2) = (kind, payload);
                let header = &bytes[..HEADER_BYTES as usize];
                let outcome =
                    sample.judge_one(*first, segment_of(header, seed, &list, bytes.len()));
                assert!(is_found(&outcome), "segment {first}, frame {n}: {outcome:?}");
                outcomes.push(outcome);
            }
        }
    }
    outcomes
}
