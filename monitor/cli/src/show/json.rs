//! A leaf as a JSON object with every field. Names are those of the leaf's grammar in snake case;
//! bytes are hexadecimal, instants and lengths whole nanoseconds unless the name says otherwise.

use chronolease_core::clock_reader::{KernelState, Marker, ReaderWord};
use chronolease_core::confirmation::Confirmation;
use chronolease_core::evidence::LeafIndex;
use chronolease_core::evidence::leaf::{
    Assessment, BoxRole, Doubt, Drift, EndToEnd, Ended, Event, Intent, Leaf, LeafError, NewEpoch,
    PeerBroken, PeerEpoch, Probed, Round, SourceDoubt, SourceReading, Started,
};
use chronolease_core::fusion::NoUtc;
use chronolease_core::interval::Interval;
use chronolease_core::leap::passage::{LeapChange, Reading};
use chronolease_core::lease::{LeaseTerms, SignedLease};
use chronolease_core::pps::{self, PlacedEdge, PpsChange};
use chronolease_core::sample::Sample;
use chronolease_core::wire;
use serde_json::{Map, Value, json};

use crate::kind::Kind;
use crate::text;

/// The object of a leaf: `index`, `time`, `kind`, `made`, and the fields of its kind.
pub(super) fn leaf(index: LeafIndex, leaf: &Leaf) -> Value {
    let mut fields = event(&leaf.event);
    fields.insert("index".to_owned(), json!(index.as_u64()));
    fields.insert("time".to_owned(), json!(text::utc(leaf.made.real)));
    fields.insert("kind".to_owned(), json!(Kind::of(&leaf.event).label()));
    fields.insert("made".to_owned(), sample(&leaf.made));
    Value::Object(fields)
}

/// The object of a leaf that is none.
pub(super) fn unreadable(index: LeafIndex, why: &LeafError, bytes: &[u8]) -> Value {
    json!({
        "index": index.as_u64(),
        "kind": Kind::Unreadable.label(),
        "error": why.to_string(),
        "bytes": text::hex(bytes),
    })
}

fn event(event: &Event) -> Map<String, Value> {
    let fields = match event {
        Event::Started(it) => started(it),
        Event::Stopped => json!({}),
        Event::ConfigDigest(digest) => json!({ "config_digest": digest.to_string() }),
        Event::LeaseGranted(lease) => granted(lease),
        Event::LeaseEnded(it) => ended(it),
        Event::Round(it) => round(it),
        Event::Verdict(it) => verdict(it),
        Event::Intent(it) => intent(it),
        Event::Issued(tokens) => {
            let token = |(serial, digest)| json!({ "serial": serial, "signature_digest": digest });
            let texts =
                tokens.iter().map(|it| (it.serial.to_string(), it.signature_digest.to_string()));
            json!({ "tokens": texts.map(token).collect::<Vec<_>>() })
        }
        Event::PeerCheckpoint(note) => {
            json!({ "note": String::from_utf8_lossy(note), "note_bytes": text::hex(note) })
        }
        Event::TornTail(it) => json!({ "after": it.after.as_u64(), "cut_bytes": it.cut_bytes }),
        Event::NewEpoch(NewEpoch { sealed, reason }) => json!({
            "origin": sealed.origin.as_str(),
            "size": sealed.size.as_u64(),
            "root": sealed.root.to_string(),
            "reason": reason,
        }),
        Event::Confirmed(signed) => json!({
            "confirmation": wire::decode_confirmation(&signed.der).ok().as_ref().map(confirmation),
            "confirmation_bytes": text::hex(&signed.der),
            "signature": text::hex(&signed.signature),
        }),
        Event::PeerBroken(PeerBroken { cause, known, offered }) => json!({
            "cause": cause.label(),
            "known": String::from_utf8_lossy(known),
            "offered": String::from_utf8_lossy(offered),
        }),
        Event::PeerEpoch(PeerEpoch { sealed, origin, reason }) => json!({
            "sealed": String::from_utf8_lossy(sealed),
            "origin": origin.as_str(),
            "reason": reason,
        }),
        Event::LeapChange(it) => leap_change(it),
        Event::SourceDoubt(it) => doubt(it),
        Event::PpsChange(it) => pps_change(it),
        Event::EndToEnd(it) => end_to_end(it),
        Event::KernelChange(it) => json!({
            "tsu": it.tsu.as_ref().map(|tsu| tsu.as_str()),
            "reader": reader(&it.word),
        }),
    };
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn started(it: &Started) -> Value {
    json!({
        "role": match it.role {
            BoxRole::Monitor => "monitor",
            BoxRole::Tsu => "tsu",
        },
        "version": it.version,
        "build": it.build,
        "incarnation": it.incarnation.map(|run| run.to_string()),
        "config_digest": it.config_digest.to_string(),
        "virtual_allowed": it.virtual_allowed,
    })
}

fn granted(lease: &SignedLease) -> Value {
    json!({
        "terms": wire::decode_terms(&lease.terms_der).ok().as_ref().map(terms),
        "terms_bytes": text::hex(&lease.terms_der),
        "signature": text::hex(&lease.signature),
    })
}

fn terms(it: &LeaseTerms) -> Value {
    json!({
        "tsu": it.tsu.as_str(),
        "incarnation": it.incarnation.to_string(),
        "sequence": it.sequence.as_u64(),
        "channel": it.channel.to_string(),
        "sample": sample(&it.sample),
        "ttl_ns": it.ttl.as_nanos(),
        "clock_bound_ns": it.clock_bound.as_nanos(),
        "rho_ppb": it.rho.as_ppb(),
        "policy": it.policy,
    })
}

fn confirmation(it: &Confirmation) -> Value {
    json!({
        "tsu": it.tsu.as_str(),
        "incarnation": it.incarnation.to_string(),
        "channel": it.channel.to_string(),
        "sequence": it.batch.sequence.as_u64(),
        "lease": it.batch.lease.as_u64(),
        "root": it.batch.root.to_string(),
        "gen_time_min": it.batch.gen_times.min().as_unix_nanos(),
        "gen_time_max": it.batch.gen_times.max().as_unix_nanos(),
        "log_size": it.log.size.as_u64(),
        "log_root": it.log.root.to_string(),
        "utc_ns": it.utc.as_unix_nanos(),
        "half_width_ns": it.half_width.as_nanos(),
    })
}

fn ended(it: &Ended) -> Value {
    json!({
        "tsu": it.tsu.as_str(),
        "sequence": it.sequence.as_u64(),
        "cause": it.cause.label(),
        "found_by": it.found_by.as_ref().map(sample),
    })
}

fn round(it: &Round) -> Value {
    let utc = match &it.utc {
        Ok(utc) => json!({ "known": interval(*utc) }),
        Err(NoUtc::QuorumLost { usable, required }) => {
            json!({ "quorum_lost": { "usable": usable, "required": required } })
        }
        Err(NoUtc::NoConsensus { usable, best, required }) => {
            json!({ "no_consensus": { "usable": usable, "best": best, "required": required } })
        }
    };
    let sources: Vec<Value> = it.sources.iter().map(source).collect();
    json!({
        "faults": it.faults.0,
        "sources": sources,
        "authenticated_only": it.authenticated_only,
        "utc": utc,
        "estimate": it.estimate.map(|estimate| {
            json!({ "interval": interval(estimate.interval), "groups": estimate.votes })
        }),
        "drifts": it.drifts.iter().map(drift).collect::<Vec<_>>(),
    })
}

fn drift(it: &Drift) -> Value {
    json!({
        "clock": it.tsu.as_ref().map_or("box-b", |tsu| tsu.as_str()),
        "rate_ppb": it.rate.map(|rate| json!({ "lo": rate.lo_ppb, "hi": rate.hi_ppb })),
        "stepped_ns": it.stepped.as_nanos(),
    })
}

fn source(it: &SourceReading) -> Value {
    let interval = it.interval.map(interval);
    json!({
        "name": it.name,
        "group": it.group,
        "state": text::source_state(it.state),
        "interval": interval,
        "authenticated": it.authenticated,
        "reason": it.reason.as_ref().map(|reason| &reason.word),
        "detail": it.reason.as_ref().map(|reason| &reason.detail),
    })
}

fn verdict(it: &Probed) -> Value {
    let (assessment, clock) = match it.assessment {
        Assessment::Good(clock) => ("good", Some(clock)),
        Assessment::Bad(clock) => ("bad", Some(clock)),
        Assessment::Unknown(clock) => ("unknown", Some(clock)),
        Assessment::Unusable => ("unusable", None),
    };
    json!({
        "tsu": it.tsu.as_str(),
        "sent_ns": it.sent.as_nanos(),
        "received_ns": it.received.as_nanos(),
        "answer": sample(&it.answer),
        "reader": it.reader.as_ref().map(reader),
        "judged_at_ns": it.judged_at.as_nanos(),
        "utc_minus_raw": interval(it.utc_minus_raw),
        "assessment": assessment,
        "clock_minus_utc": clock.map(interval),
    })
}

fn reader(it: &ReaderWord) -> Value {
    let account = it.heard.as_ref().ok();
    let kernel = account.and_then(|account| account.kernel.ok());
    json!({
        "step_notices": it.steps,
        "disruptions": it.disruptions,
        "lost": it.heard.as_ref().err().map(|why| why.label()),
        "kernel": kernel.as_ref().map(kernel_state),
        "kernel_odd": account.and_then(|account| account.kernel.err()).map(|odd| odd.to_string()),
        "marker": account.map(|account| match account.marker {
            Marker::Absent => json!("absent"),
            Marker::Unreadable => json!("unreadable"),
            Marker::Shown { disruption, generation } => {
                json!({ "disruption": disruption, "generation": generation })
            }
        }),
    })
}

fn kernel_state(it: &KernelState) -> Value {
    json!({
        "state": it.state.code(),
        "status": it.status.bits(),
        "max_error_ns": it.max_error.as_nanos(),
        "estimated_error_ns": it.estimated_error.as_nanos(),
        "offset_ns": it.offset.as_nanos(),
        "frequency_ppb": it.frequency_ppb,
        "tai_offset_s": it.tai_offset_s,
    })
}

fn intent(it: &Intent) -> Value {
    let (hash, imprint) = (it.imprint.function().name(), text::hex(it.imprint.hash()));
    json!({
        "serial": it.serial.to_string(),
        "imprint_hash": hash,
        "imprint": imprint,
        "tst_info_digest": it.tst_info_digest.to_string(),
        "sample": sample(&it.sample),
        "lease": it.lease.as_u64(),
        "gen_time": text::gen_time(it.gen_time),
        "gen_time": it.gen_time.as_unix_nanos(),
    })
}

fn reading(it: &Reading) -> Value {
    json!({ "at_ns": it.at.as_nanos(), "utc_minus_raw": interval(it.utc_minus_raw) })
}

fn leap_change(it: &LeapChange) -> Value {
    let (first, last) = it.when();
    json!({
        "end": it.end.to_string(),
        "boundary_ns": it.end.instant().as_unix_nanos(),
        "expected": it.expected.to_string(),
        "observed": it.observed.to_string(),
        "before": reading(&it.before),
        "after": reading(&it.after),
        "rho_ppb": it.rho.as_ppb(),
        "list_digest": it.list.map(|digest| digest.to_string()),
        "changed_raw_first_ns": first.as_nanos(),
        "changed_raw_last_ns": last.as_nanos(),
    })
}

fn doubt(it: &SourceDoubt) -> Value {
    let doubt = match &it.doubt {
        Doubt::Disagreement { ours, theirs } => {
            json!({ "disagreement": { "ours": interval(*ours), "theirs": interval(*theirs) } })
        }
        Doubt::Smear(smear) => {
            json!({ "smear": { "drift_ppb": smear.drift_ppb, "over_ns": smear.over.as_nanos() } })
        }
    };
    json!({ "source": it.source, "doubt": doubt })
}

fn pps_change(it: &PpsChange) -> Value {
    let edge = |it: &PlacedEdge| {
        json!({
            "sequence": it.sequence,
            "earliest_ns": it.raw.earliest().as_nanos(),
            "latest_ns": it.raw.latest().as_nanos(),
        })
    };
    let residual = it
        .edge
        .zip(it.utc)
        .map(|(edge, utc)| interval(pps::residual(edge.raw, &utc, it.limits.rho)));
    json!({
        "from": it.from.label(),
        "to": it.to.label(),
        "residual_limit_ns": it.limits.residual.as_nanos(),
        "jitter_limit_ns": it.limits.jitter.as_nanos(),
        "rho_ppb": it.limits.rho.as_ppb(),
        "before": it.before.as_ref().map(edge),
        "edge": it.edge.as_ref().map(edge),
        "utc": it.utc.as_ref().map(reading),
        "residual": residual,
    })
}

fn end_to_end(it: &EndToEnd) -> Value {
    json!({
        "tsu": it.tsu.as_str(),
        "asked_ns": it.asked.as_nanos(),
        "answered_ns": it.answered.as_nanos(),
        "judged_at_ns": it.judged_at.as_nanos(),
        "utc_minus_raw": it.utc_minus_raw.map(interval),
        "without_lease": it.without_lease,
        "request": text::hex(&it.request),
        "response": it.response.as_deref().map(text::hex),
        "result": it.result.label(),
    })
}

fn sample(it: &Sample) -> Value {
    json!({
        "raw_before_ns": it.raw_before.as_nanos(),
        "real_ns": it.real.as_unix_nanos(),
        "raw_after_ns": it.raw_after.as_nanos(),
        "boot_minus_mono_ns": it.boot_minus_mono.as_nanos(),
        "boot_id": it.boot_id.to_string(),
    })
}

fn interval(it: Interval) -> Value {
    json!({ "lo_ns": it.lo().as_nanos(), "hi_ns": it.hi().as_nanos() })
}
