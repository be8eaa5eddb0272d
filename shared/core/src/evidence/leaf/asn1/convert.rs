//! From the kinds of leaves to their grammar and back.

use super::*;

impl From<&event::Event> for Event {
    fn from(event: &event::Event) -> Self {
        match event {
            event::Event::Started(started) => Self::Started(started.into()),
            event::Event::Stopped => Self::Stopped(()),
            event::Event::ConfigDigest(digest) => Self::ConfigDigest(bytes(digest)),
            event::Event::LeaseGranted(lease) => Self::LeaseGranted(lease.into()),
            event::Event::LeaseEnded(ended) => Self::LeaseEnded(ended.into()),
            event::Event::Round(round) => Self::Round(round.into()),
            event::Event::Verdict(probed) => Self::Verdict(probed.into()),
            event::Event::Intent(intent) => Self::Intent(intent.into()),
            event::Event::Issued(tokens) => Self::Issued(
                tokens
                    .iter()
                    .map(|token| IssuedToken {
                        serial: FixedOctetString::new(*token.serial.as_be_bytes()),
                        signature_digest: bytes(&token.signature_digest),
                    })
                    .collect(),
            ),
            event::Event::PeerCheckpoint(note) => {
                Self::PeerCheckpoint(OctetString::from(note.clone()))
            }
            event::Event::TornTail(torn) => {
                Self::TornTail(TornTail { after: torn.after.as_u64(), cut_bytes: torn.cut_bytes })
            }
            event::Event::NewEpoch(epoch) => Self::NewEpoch(NewEpoch {
                origin: epoch.sealed.origin.to_string(),
                size: epoch.sealed.size.as_u64(),
                root: bytes(&epoch.sealed.root),
                reason: epoch.reason.clone(),
            }),
            event::Event::Confirmed(signed) => Self::Confirmed(signed.into()),
            event::Event::PeerBroken(broken) => Self::PeerBroken(PeerBroken {
                cause: broken.cause.code(),
                known: OctetString::from(broken.known.clone()),
                offered: OctetString::from(broken.offered.clone()),
            }),
            event::Event::PeerEpoch(epoch) => Self::PeerEpoch(PeerEpoch {
                sealed: OctetString::from(epoch.sealed.clone()),
                origin: epoch.origin.to_string(),
                reason: epoch.reason.clone(),
            }),
            event::Event::LeapChange(change) => Self::LeapChange(change.into()),
            event::Event::SourceDoubt(it) => Self::SourceDoubt(it.into()),
            event::Event::PpsChange(change) => Self::PpsChange(change.into()),
            event::Event::EndToEnd(it) => Self::EndToEnd(it.into()),
            event::Event::KernelChange(change) => Self::KernelChange(change.into()),
        }
    }
}

impl TryFrom<Event> for event::Event {
    type Error = WireError;
    fn try_from(event: Event) -> Result<Self, WireError> {
        Ok(match event {
            Event::Started(started) => Self::Started(started.try_into()?),
            Event::Stopped(()) => Self::Stopped,
            Event::ConfigDigest(digest) => Self::ConfigDigest(hash(&digest)),
            Event::LeaseGranted(lease) => Self::LeaseGranted(lease.into()),
            Event::LeaseEnded(ended) => Self::LeaseEnded(ended.try_into()?),
            Event::Round(round) => Self::Round(round.try_into()?),
            Event::Verdict(verdict) => Self::Verdict(verdict.try_into()?),
            Event::Intent(intent) => Self::Intent(intent.try_into()?),
            Event::Issued(tokens) => Self::Issued(
                tokens
                    .iter()
                    .map(|token| {
                        let signature_digest = hash(&token.signature_digest);
                        Ok(event::IssuedToken { serial: serial(&token.serial)?, signature_digest })
                    })
                    .collect::<Result<_, WireError>>()?,
            ),
            Event::PeerCheckpoint(note) => Self::PeerCheckpoint(note.to_vec()),
            Event::TornTail(torn) => Self::TornTail(event::TornTail {
                after: TreeSize::new(torn.after),
                cut_bytes: torn.cut_bytes,
            }),
            Event::NewEpoch(epoch) => Self::NewEpoch(event::NewEpoch {
                sealed: Checkpoint {
                    origin: key_name(&epoch.origin)?,
                    size: TreeSize::new(epoch.size),
                    root: hash(&epoch.root),
                },
                reason: epoch.reason,
            }),
            Event::Confirmed(signed) => Self::Confirmed(signed.into()),
            Event::PeerBroken(broken) => Self::PeerBroken(event::PeerBroken {
                cause: cause(broken.cause)?,
                known: broken.known.to_vec(),
                offered: broken.offered.to_vec(),
            }),
            Event::PeerEpoch(epoch) => Self::PeerEpoch(event::PeerEpoch {
                sealed: epoch.sealed.to_vec(),
                origin: key_name(&epoch.origin)?,
                reason: epoch.reason,
            }),
            Event::LeapChange(change) => Self::LeapChange(change.try_into()?),
            Event::SourceDoubt(it) => Self::SourceDoubt(it.try_into()?),
            Event::PpsChange(change) => Self::PpsChange(change.try_into()?),
            Event::EndToEnd(it) => Self::EndToEnd(it.try_into()?),
            Event::KernelChange(change) => Self::KernelChange(change.try_into()?),
        })
    }
}

impl From<&event::Started> for Started {
    fn from(started: &event::Started) -> Self {
        Self {
            role: started.role.code(),
            version: started.version.clone(),
            build: started.build.clone(),
            incarnation: started.incarnation.map(|run| Bytes16::new(*run.as_bytes())),
            config_digest: bytes(&started.config_digest),
            virtual_allowed: started.virtual_allowed.then_some(()),
        }
    }
}

impl TryFrom<Started> for event::Started {
    type Error = WireError;
    fn try_from(started: Started) -> Result<Self, WireError> {
        Ok(Self {
            role: event::BoxRole::from_code(started.role).ok_or(WireError::Range("role"))?,
            version: started.version,
            build: started.build,
            incarnation: started.incarnation.map(|run| id::Incarnation::from_bytes(*run)),
            config_digest: hash(&started.config_digest),
            virtual_allowed: started.virtual_allowed.is_some(),
        })
    }
}

impl From<&event::KernelChange> for KernelChange {
    fn from(change: &event::KernelChange) -> Self {
        Self {
            tsu: change.tsu.as_ref().map(ToString::to_string),
            word: ReaderWord::from(&change.word),
        }
    }
}

impl TryFrom<KernelChange> for event::KernelChange {
    type Error = WireError;
    fn try_from(change: KernelChange) -> Result<Self, WireError> {
        let tsu = change.tsu.map(|tsu| tsu_id(&tsu)).transpose()?;
        Ok(Self { tsu, word: change.word.try_into()? })
    }
}

impl From<&event::Ended> for LeaseEnded {
    fn from(ended: &event::Ended) -> Self {
        Self {
            tsu: ended.tsu.to_string(),
            sequence: ended.sequence.as_u64(),
            cause: ended.cause.code(),
            found_by: ended.found_by.as_ref().map(Sample::from),
        }
    }
}

impl TryFrom<LeaseEnded> for event::Ended {
    type Error = WireError;
    fn try_from(ended: LeaseEnded) -> Result<Self, WireError> {
        Ok(Self {
            tsu: tsu_id(&ended.tsu)?,
            sequence: LeaseSeq::new(ended.sequence),
            cause: cause(ended.cause)?,
            found_by: ended.found_by.map(Into::into),
        })
    }
}

impl From<&event::Probed> for Verdict {
    fn from(probed: &event::Probed) -> Self {
        Self {
            tsu: probed.tsu.to_string(),
            sent: probed.sent.as_nanos(),
            received: probed.received.as_nanos(),
            answer: Sample::from(&probed.answer),
            reader: probed.reader.as_ref().map(ReaderWord::from),
            judged_at: probed.judged_at.as_nanos(),
            utc_minus_raw: probed.utc_minus_raw.into(),
            assessment: match probed.assessment {
                event::Assessment::Good(deviation) => Assessment::Good(deviation.into()),
                event::Assessment::Bad(deviation) => Assessment::Bad(deviation.into()),
                event::Assessment::Unknown(deviation) => Assessment::Unknown(deviation.into()),
                event::Assessment::Unusable => Assessment::Unusable(()),
            },
        }
    }
}

impl TryFrom<Verdict> for event::Probed {
    type Error = WireError;
    fn try_from(verdict: Verdict) -> Result<Self, WireError> {
        Ok(Self {
            tsu: tsu_id(&verdict.tsu)?,
            sent: RawInstant::from_nanos(verdict.sent),
            received: RawInstant::from_nanos(verdict.received),
            answer: verdict.answer.into(),
            reader: verdict.reader.map(TryInto::try_into).transpose()?,
            judged_at: RawInstant::from_nanos(verdict.judged_at),
            utc_minus_raw: verdict.utc_minus_raw.try_into()?,
            assessment: match verdict.assessment {
                Assessment::Good(deviation) => event::Assessment::Good(deviation.try_into()?),
                Assessment::Bad(deviation) => event::Assessment::Bad(deviation.try_into()?),
                Assessment::Unknown(deviation) => event::Assessment::Unknown(deviation.try_into()?),
                Assessment::Unusable(()) => event::Assessment::Unusable,
            },
        })
    }
}

impl From<&event::Intent> for Intent {
    fn from(intent: &event::Intent) -> Self {
        Self {
            serial: FixedOctetString::new(*intent.serial.as_be_bytes()),
            imprint: match intent.imprint {
                imprint::Imprint::Sha256(hash) => Imprint::Sha256(FixedOctetString::new(hash)),
                imprint::Imprint::Sha384(hash) => Imprint::Sha384(FixedOctetString::new(hash)),
                imprint::Imprint::Sha512(hash) => Imprint::Sha512(FixedOctetString::new(hash)),
                imprint::Imprint::Sha3_256(hash) => Imprint::Sha3_256(FixedOctetString::new(hash)),
                imprint::Imprint::Sha3_384(hash) => Imprint::Sha3_384(FixedOctetString::new(hash)),
                imprint::Imprint::Sha3_512(hash) => Imprint::Sha3_512(FixedOctetString::new(hash)),
            },
            tst_info_digest: bytes(&intent.tst_info_digest),
            sample: Sample::from(&intent.sample),
            lease: intent.lease.as_u64(),
            gen_time: intent.gen_time.as_unix_nanos(),
        }
    }
}

impl TryFrom<Intent> for event::Intent {
    type Error = WireError;
    fn try_from(intent: Intent) -> Result<Self, WireError> {
        Ok(Self {
            serial: serial(&intent.serial)?,
            imprint: match intent.imprint {
                Imprint::Sha256(hash) => imprint::Imprint::Sha256(*hash),
                Imprint::Sha384(hash) => imprint::Imprint::Sha384(*hash),
                Imprint::Sha512(hash) => imprint::Imprint::Sha512(*hash),
                Imprint::Sha3_256(hash) => imprint::Imprint::Sha3_256(*hash),
                Imprint::Sha3_384(hash) => imprint::Imprint::Sha3_384(*hash),
                Imprint::Sha3_512(hash) => imprint::Imprint::Sha3_512(*hash),
            },
            tst_info_digest: hash(&intent.tst_info_digest),
            sample: intent.sample.into(),
            lease: LeaseSeq::new(intent.lease),
            gen_time: gen_time(intent.gen_time)?,
        })
    }
}
