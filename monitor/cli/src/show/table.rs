//! One line for a human reader. Text that came from outside is quoted, so that it cannot move the
//! cursor of a terminal.

use chronolease_core::clock_reader::Account;
use chronolease_core::confirmation::SignedConfirmation;
use chronolease_core::evidence::LeafIndex;
use chronolease_core::evidence::checkpoint::Checkpoint;
use chronolease_core::evidence::leaf::{
    Assessment, BoxRole, Doubt, Ended, Event, Intent, KernelChange, Leaf, LeafError, NewEpoch,
    PeerBroken, PeerEpoch, Probed, Round, SourceDoubt, SourceReading, SourceState, Started,
};
use chronolease_core::evidence::note::Note;
use chronolease_core::leap::passage::LeapChange;
use chronolease_core::leap::smear::Smear;
use chronolease_core::lease::SignedLease;
use chronolease_core::wire;

use crate::kind::Kind;
use crate::text;

/// Index, time of making, kind, and what matters.
pub(super) fn leaf(index: LeafIndex, leaf: &Leaf) -> String {
    let what = event(&leaf.event);
    row(index, &text::utc(leaf.made.real), Kind::of(&leaf.event), &what)
}

/// The line of a leaf that is none.
pub(super) fn unreadable(index: LeafIndex, why: &LeafError) -> String {
    row(index, "-", Kind::Unreadable, &why.to_string())
}

fn row(index: LeafIndex, time: &str, kind: Kind, what: &str) -> String {
    format!("{index:>8}  {time:<30}  {kind:<15}  {what}").trim_end().to_owned()
}

fn event(event: &Event) -> String {
    match event {
        Event::Started(started) => start(started),
        Event::Stopped => String::new(),
        Event::ConfigDigest(digest) => format!("digest={digest}"),
        Event::LeaseGranted(lease) => granted(lease),
        Event::LeaseEnded(Ended { tsu, sequence, cause, found_by }) => {
            let by = if found_by.is_some() { " found by a sample" } else { "" };
            format!("tsu={tsu} lease={sequence} cause={cause}{by}")
        }
        Event::Round(it) => round(it),
        Event::Verdict(it) => verdict(it),
        Event::Intent(it) => intent(it),
        Event::Issued(tokens) => {
            let serials: Vec<_> = tokens.iter().map(|token| token.serial.to_string()).collect();
            format!("tokens={} serial={}", tokens.len(), serials.join(","))
        }
        Event::PeerCheckpoint(note) => checkpoint(note),
        Event::TornTail(it) => format!("cut={} bytes after={} leaves", it.cut_bytes, it.after),
        Event::NewEpoch(NewEpoch { sealed, reason }) => {
            let Checkpoint { origin, size, root } = sealed;
            format!("sealed={origin} size={size} root={root} reason={reason:?}")
        }
        Event::Confirmed(signed) => confirmed(signed),
        Event::PeerBroken(PeerBroken { cause, known, offered }) => {
            format!("cause={cause} known: {} offered: {}", checkpoint(known), checkpoint(offered))
        }
        Event::PeerEpoch(PeerEpoch { sealed, origin, reason }) => {
            format!("origin={origin} reason={reason:?} sealed: {}", checkpoint(sealed))
        }
        Event::LeapChange(it) => {
            let LeapChange { end, expected, observed, .. } = it;
            format!("end={end} expected={expected} observed={observed}")
        }
        Event::SourceDoubt(SourceDoubt { source, doubt }) => match doubt {
            Doubt::Disagreement { ours, theirs } => {
                format!("source={source:?} ours={ours} rsntp={theirs}")
            }
            Doubt::Smear(Smear { drift_ppb, over }) => {
                format!("source={source:?} smears: drift={drift_ppb}ppb over={over}")
            }
        },
        Event::PpsChange(it) => format!("from={} to={}", it.from, it.to),
        Event::EndToEnd(it) => {
            let took = it.answered - it.asked;
            format!("tsu={} result={} took={took}", it.tsu, it.result.label())
        }
        Event::KernelChange(it) => kernel(it),
    }
}

fn start(started: &Started) -> String {
    let Started { role, version, build, incarnation, config_digest, virtual_allowed } = started;
    let role = match role {
        BoxRole::Monitor => "monitor",
        BoxRole::Tsu => "tsu",
    };
    let run = incarnation.map_or_else(String::new, |run| format!(" incarnation={run}"));
    let virtual_box = if *virtual_allowed { " on a virtual box, as configured" } else { "" };
    format!("{role} version={version:?} build={build:?}{run} config={config_digest}{virtual_box}")
}

fn kernel(KernelChange { tsu, word }: &KernelChange) -> String {
    let whose = tsu.as_ref().map_or_else(|| "monitor".to_owned(), |tsu| format!("tsu={tsu}"));
    let heard = match &word.heard {
        Err(why) => format!("lost={}", why.label()),
        Ok(Account { kernel: Err(odd), .. }) => format!("kernel={odd}"),
        Ok(Account { kernel: Ok(kernel), .. }) => {
            let synchronised = !kernel.is_unsynchronised();
            format!("synchronised={synchronised} tai_offset={}s", kernel.tai_offset_s)
        }
    };
    format!("{whose} {heard} steps={} disruptions={}", word.steps, word.disruptions)
}

fn granted(lease: &SignedLease) -> String {
    match wire::decode_terms(&lease.terms_der) {
        Ok(it) => format!(
            "tsu={} lease={} ttl={} clock_bound={} sample={}",
            it.tsu,
            it.sequence,
            it.ttl,
            it.clock_bound,
            text::utc(it.sample.real)
        ),
        Err(why) => format!("terms: {why}"),
    }
}

fn confirmed(signed: &SignedConfirmation) -> String {
    match wire::decode_confirmation(&signed.der) {
        Ok(it) => format!(
            "tsu={} batch={} lease={} utc={} +-{}",
            it.tsu,
            it.batch.sequence,
            it.batch.lease,
            text::utc(it.utc),
            it.half_width
        ),
        Err(why) => format!("confirmation: {why}"),
    }
}

fn round(round: &Round) -> String {
    let ok = round.sources.iter().filter(|source| source.state == SourceState::Ok).count();
    let sources = format!("sources={ok}/{}", round.sources.len());
    let utc = match &round.utc {
        Ok(utc) => format!("{sources} utc=+-{}", utc.half_width()),
        Err(why) => format!("{sources} {why}"),
    };
    round.sources.iter().filter_map(trouble).fold(utc, |line, source| line + &source)
}

/// A source that is not to be relied on, or whose last poll went wrong.
fn trouble(source: &SourceReading) -> Option<String> {
    let SourceReading { name, state, reason, .. } = source;
    let why = reason.as_ref().map(|it| format!(" ({:?})", it.word)).unwrap_or_default();
    let is_sound = *state == SourceState::Ok && reason.is_none();
    (!is_sound).then(|| format!(" {name:?}={}{why}", text::source_state(*state)))
}

fn verdict(probed: &Probed) -> String {
    let verdict = match probed.assessment {
        Assessment::Good(clock) => format!("good clock-utc={clock}"),
        Assessment::Bad(clock) => format!("bad clock-utc={clock}"),
        Assessment::Unknown(clock) => format!("unknown clock-utc={clock}"),
        Assessment::Unusable => "unusable".to_owned(),
    };
    format!("tsu={} {verdict} round_trip={}", probed.tsu, probed.received - probed.sent)
}

fn intent(intent: &Intent) -> String {
    let (hash, imprint) = (intent.imprint.function().name(), text::hex(intent.imprint.hash()));
    let (serial, lease, time) = (intent.serial, intent.lease, text::gen_time(intent.gen_time));
    format!("serial={serial} gen_time={time} lease={lease} {hash}={imprint}")
}

fn checkpoint(note: &[u8]) -> String {
    let read = Note::parse(note).ok().and_then(|note| Checkpoint::parse(note.text()).ok());
    match read {
        Some(Checkpoint { origin, size, root }) => {
            format!("origin={origin} size={size} root={root}")
        }
        None => format!("{} bytes that are no checkpoint", note.len()),
    }
}
