//! Small logs, and the program that looks at them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use chronolease_cli::fsck;
use chronolease_core::clock_reader::{LostKind, RawWindow, ReaderWord};
use chronolease_core::confirmation::SignedConfirmation;
use chronolease_core::evidence::checkpoint::Checkpoint;
use chronolease_core::evidence::leaf::{
    Assessment, BoxRole, Doubt, Drift, Ended, Event, Imprint, Intent, IssuedToken, KernelChange,
    Leaf, NewEpoch, PeerBroken, PeerEpoch, Probed, Round, SourceDoubt, SourceReading, SourceReason,
    SourceState, Started, TornTail,
};
use chronolease_core::evidence::merkle::Hash;
use chronolease_core::evidence::note::{KeyName, LogKey};
use chronolease_core::evidence::{TreeHead, TreeSize};
use chronolease_core::fusion::{Agreement, Faults, NoUtc};
use chronolease_core::id::{BootId, ChannelBinding, Incarnation, LeaseSeq, Serial, TsuId};
use chronolease_core::interval::Interval;
use chronolease_core::judge::Limits;
use chronolease_core::leap::month_end::MonthEnd;
use chronolease_core::leap::passage::{LeapChange, Observed, Reading};
use chronolease_core::leap::plan::Outlook;
use chronolease_core::leap::smear::Smear;
use chronolease_core::lease::{EndingCause, LeaseTerms, SignedLease};
use chronolease_core::pps::{PlacedEdge, PpsChange, PpsLimits, PpsState};
use chronolease_core::sample::Sample;
use chronolease_core::time::{
    Bound, GenTime, GenTimeDigits, Ppb, Rate, RawInstant, Span, Timestamp,
};
use chronolease_net::evidence::{self, Disk, Entry, Known, Owner, Settings};
use chronolease_net::keys::EvidenceSigner;

const ORIGIN: &str = "test.example/log";

/// A log in a folder of its own.
pub(crate) struct Log {
    root: PathBuf,
    folder: PathBuf,
}

/// How the program ended.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn chronolease(arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_chronolease"))
        .args(arguments)
        .output()
        .expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let code = output.status.code().expect("no signal ended it");
    Ran { code, stdout: text(output.stdout), stderr: text(output.stderr) }
}

impl Log {
    /// No log yet.
    pub(crate) fn new(test: &str) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("evidence-cli-{test}"));
        // What an earlier run left, if there was one.
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(&root).expect("the folder for temporary files is writable");
        Self { folder: root.join("log"), root }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the log, with segments as small as may be.
    pub(crate) fn create(&self) -> Owner {
        let settings = Settings {
            segment_bytes: 16 << 10,
            batch_bytes: 8 << 10,
            reserve_bytes: 0,
            ..Settings::new(ORIGIN)
        };
        let now = Box::new(|| 1);
        evidence::create(Arc::new(Disk), &self.folder, settings, now).expect("created")
    }

    /// Appends one batch.
    pub(crate) fn append(&self, owner: &Owner, events: &[Event]) -> Vec<Leaf> {
        let leaf = |event: &Event| Leaf { made: sample(0), event: event.clone() };
        let leaves: Vec<Leaf> = events.iter().map(leaf).collect();
        let entry = |leaf: &Leaf| Entry::new(leaf.encode().expect("short")).expect("short");
        owner.log().append_blocking(leaves.iter().map(entry).collect()).expect("appended");
        leaves
    }

    /// Appends something that may be no leaf.
    pub(crate) fn append_bytes(&self, owner: &Owner, bytes: &[u8]) {
        let entry = Entry::new(bytes.to_vec()).expect("short");
        owner.log().append_blocking(vec![entry]).expect("appended");
    }

    pub(crate) fn arguments(&self, command: &str) -> Vec<String> {
        let folder = self.folder.to_str().expect("UTF-8");
        ["evidence", command, folder, "--origin", ORIGIN].map(str::to_owned).into()
    }

    fn run(&self, command: &str, options: &[&str]) -> Ran {
        let arguments = self.arguments(command);
        let all: Vec<&str> = arguments.iter().map(String::as_str).chain(options.to_vec()).collect();
        chronolease(&all)
    }

    pub(crate) fn fsck(&self, options: &[&str]) -> Ran {
        self.run("fsck", options)
    }

    pub(crate) fn show(&self, options: &[&str]) -> Ran {
        self.run("show", options)
    }

    /// The check as the program makes it, of a log that must hold `tree`.
    pub(crate) fn request(&self, tree: TreeHead) -> fsck::Request {
        fsck::Request {
            folder: self.folder.clone(),
            origin: KeyName::new(ORIGIN).expect("a name"),
            known: vec![Known { witness: "the test".to_owned(), tree }],
            limits: Limits {
                guard: Bound::from_millis(5),
                bracket: Bound::from_millis(1),
                digits: GenTimeDigits::Three,
            },
            evidence_key: None,
        }
    }

    /// The files of the segments, in order.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.join("segment")).expect("a folder");
        let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        files.retain(|file| file.extension().is_some_and(|end| end == "seg"));
        files.sort();
        files
    }

    /// The bytes of the first segment.
    pub(crate) fn segment(&self) -> Vec<u8> {
        fs::read(&self.segments()[0]).expect("a segment")
    }

    /// Writes the first segment anew.
    pub(crate) fn tamper(&self, bytes: &[u8]) {
        fs::write(&self.segments()[0], bytes).expect("written");
    }

    /// A new key: the private half, and the file of the public one.
    pub(crate) fn key(&self, name: &str) -> (EvidenceSigner, String) {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        let (private, public) = (self.root.join(name), self.root.join(format!("{name}.pub")));
        fs::write(&private, pair.serialize_pem()).expect("written");
        fs::write(&public, pair.public_key_pem()).expect("written");
        let signer = EvidenceSigner::load(&private).expect("Ed25519");
        (signer, public.to_str().expect("UTF-8").to_owned())
    }
}

/// The clocks `ms` milliseconds after the boot.
fn sample(ms: i64) -> Sample {
    Sample {
        raw_before: RawInstant::from_nanos(ms * 1_000_000),
        real: Timestamp::from_unix_nanos(1_800_000_000_000_000_000 + ms * 1_000_000),
        raw_after: RawInstant::from_nanos(ms * 1_000_000 + 500),
        boot_minus_mono: Span::ZERO,
        boot_id: BootId::from_bytes([0xb0; 16]),
    }
}

fn tsu() -> TsuId {
    TsuId::new("tsu-1").expect("a fair name")
}

fn interval(lo: i64, hi: i64) -> Interval {
    Interval::new(Span::from_nanos(lo), Span::from_nanos(hi)).expect("lo <= hi")
}

pub(crate) fn started() -> Event {
    Event::Started(Started {
        role: BoxRole::Tsu,
        version: "0.1.0".to_owned(),
        build: "0123456789abcdef".to_owned(),
        incarnation: Some(Incarnation::from_bytes([1; 16])),
        config_digest: Hash::from_bytes([0xcd; 32]),
        virtual_allowed: false,
    })
}

pub(crate) fn signed_lease(sequence: u64, ms: i64, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> Event {
    let terms = LeaseTerms {
        tsu: tsu(),
        incarnation: Incarnation::from_bytes([1; 16]),
        sequence: LeaseSeq::new(sequence),
        channel: ChannelBinding::from_bytes([2; 32]),
        sample: sample(ms),
        ttl: Bound::from_millis(3_000),
        clock_bound: Bound::from_millis(2),
        rho: Ppb::from_ppm(100),
        policy: "1.2.3".to_owned(),
        blackout: None,
    };
    Event::LeaseGranted(SignedLease::sign(&terms, |m| Ok::<_, ()>(sign(m))).expect("it signs"))
}

pub(crate) fn lease(sequence: u64, ms: i64) -> Event {
    signed_lease(sequence, ms, |_| vec![0x5a; 64])
}

pub(crate) fn intent(token: u8, lease: u64, ms: i64) -> Event {
    Event::Intent(Intent {
        serial: Serial::from_hash(&[token; 32]),
        imprint: Imprint::Sha256([3; 32]),
        tst_info_digest: Hash::from_bytes([4; 32]),
        sample: sample(ms),
        lease: LeaseSeq::new(lease),
        gen_time: GenTime::at(sample(ms).real, GenTimeDigits::Three),
    })
}

pub(crate) fn issued(tokens: &[u8]) -> Event {
    let token = |token: &u8| IssuedToken {
        serial: Serial::from_hash(&[*token; 32]),
        signature_digest: Hash::from_bytes([5; 32]),
    };
    Event::Issued(tokens.iter().map(token).collect())
}

/// A checkpoint of the log whose signature is made up.
pub(crate) fn unverified_checkpoint(size: TreeSize, root: Hash) -> Vec<u8> {
    let key = LogKey::new(KeyName::new(ORIGIN).expect("a name"), [0xb1; 32]);
    let checkpoint = Checkpoint { origin: key.name().clone(), size, root };
    checkpoint.sign(&key, |_| [0x5a; 64]).expect("its own key").to_string().into_bytes()
}

/// A leaf that takes several kilobytes.
pub(crate) fn long_note() -> Event {
    Event::PeerCheckpoint(vec![7; 6_000])
}

fn round() -> Event {
    let source = |name: &str, state, interval| SourceReading {
        name: name.to_owned(),
        group: "lab".to_owned(),
        state,
        interval,
        authenticated: false,
        reason: (state != SourceState::Ok)
            .then(|| SourceReason { word: "no-answer".into(), detail: "no answer".into() }),
    };
    Event::Round(Round {
        faults: Faults(1),
        sources: vec![
            source("ptb-1", SourceState::Ok, Some(interval(-900, 1_100))),
            source("npl", SourceState::Unreachable, None),
        ],
        authenticated_only: false,
        utc: Err(NoUtc::QuorumLost { usable: 1, required: 3 }),
        estimate: Some(Agreement { interval: interval(-900, 1_100), votes: 1 }),
        drifts: vec![Drift {
            tsu: Some(tsu()),
            rate: Some(Rate { lo_ppb: -9_000, hi_ppb: 11_000 }),
            stepped: Bound::from_millis(5),
        }],
    })
}

fn verdict() -> Event {
    Event::Verdict(Probed {
        tsu: tsu(),
        sent: RawInstant::from_nanos(1_000_000),
        received: RawInstant::from_nanos(1_400_000),
        answer: sample(5),
        reader: None,
        judged_at: RawInstant::from_nanos(1_500_000),
        utc_minus_raw: interval(-10, 10),
        assessment: Assessment::Good(interval(-1_000_000, 1_000_000)),
    })
}

/// A boundary that UTC ran through, said to have gone like this.
pub(crate) fn leap_change(observed: Observed) -> Event {
    let end = MonthEnd::of(2026, 12).expect("a month");
    let l = end.instant().as_unix_nanos();
    let reading = |raw_ns| Reading {
        at: RawInstant::from_nanos(raw_ns),
        utc_minus_raw: interval(l - 5_000_000_001, l - 5_000_000_000),
    };
    Event::LeapChange(LeapChange {
        end,
        expected: Outlook::Nothing,
        observed,
        before: reading(1_000_000_000),
        after: reading(9_000_000_000),
        rho: Ppb::from_ppm(100),
        list: None,
    })
}

/// An edge on its second, said to have made the signal this.
pub(crate) fn pps_change(to: PpsState) -> Event {
    let raw = RawWindow::new(RawInstant::from_nanos(1_000), RawInstant::from_nanos(2_000));
    let edge = PlacedEdge { sequence: 1, raw: raw.expect("in order") };
    let utc = Reading { at: RawInstant::from_nanos(3_000), utc_minus_raw: interval(-10, 10) };
    let (residual, jitter) = (Bound::from_millis(5), Bound::from_millis(1));
    Event::PpsChange(PpsChange {
        from: PpsState::Acquiring,
        to,
        limits: PpsLimits { residual, jitter, rho: Ppb::from_ppm(100) },
        before: None,
        edge: Some(edge),
        utc: Some(utc),
    })
}

/// One event of each kind; start and stop come first.
pub(crate) fn every_kind() -> Vec<Event> {
    let (size, root) = (TreeSize::EMPTY, Hash::of_nothing());
    let origin = KeyName::new(ORIGIN).expect("a name");
    vec![
        started(),
        Event::Stopped,
        Event::ConfigDigest(Hash::from_bytes([0xcd; 32])),
        lease(1, 0),
        Event::LeaseEnded(Ended {
            tsu: tsu(),
            sequence: LeaseSeq::new(1),
            cause: EndingCause::Step,
            found_by: Some(sample(20)),
        }),
        round(),
        verdict(),
        intent(1, 1, 10),
        issued(&[1]),
        Event::PeerCheckpoint(unverified_checkpoint(size, root)),
        Event::TornTail(TornTail { after: size, cut_bytes: 9 }),
        Event::NewEpoch(NewEpoch {
            sealed: Checkpoint { origin, size, root },
            reason: "\u{1b}[2J gone".to_owned(),
        }),
        Event::Confirmed(SignedConfirmation { der: vec![1], signature: vec![0x5a; 64] }),
        Event::PeerBroken(PeerBroken {
            cause: EndingCause::Rollback,
            known: unverified_checkpoint(size, root),
            offered: unverified_checkpoint(size, root),
        }),
        Event::PeerEpoch(PeerEpoch {
            sealed: unverified_checkpoint(size, root),
            origin: KeyName::new("log.example/2").expect("a name"),
            reason: "a new disk".to_owned(),
        }),
        leap_change(Observed::Nothing),
        Event::SourceDoubt(SourceDoubt {
            source: "\u{1b}[2J".to_owned(),
            doubt: Doubt::Smear(Smear { drift_ppb: -11_574, over: Bound::from_millis(3_600_000) }),
        }),
        pps_change(PpsState::Good),
        Event::KernelChange(KernelChange {
            tsu: None,
            word: ReaderWord { steps: 1, disruptions: 0, heard: Err(LostKind::Silent) },
        }),
    ]
}
