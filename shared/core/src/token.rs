//! The stages a token passes. Each stage is a type of its own and only the last leaves the box:
//!
//! `Draft -> Judged -> Logged -> Witnessed -> Signed -> Releasable`
//!
//! `T` is what the token will say (the request and its serial number); this module does not look
//! into it. There is no way to skip a stage, and none to copy a token out of one.

use crate::evidence::LeafIndex;
use crate::evidence::merkle::Hash;
use crate::id::{BatchSeq, LeaseSeq};
use crate::judge::JudgedSample;

/// A request that was found fit for a token and waits for its time.
#[derive(Debug)]
pub struct Draft<T> {
    content: T,
}

/// A token whose clock sample passed the judge.
#[derive(Debug)]
pub struct Judged<T> {
    content: T,
    judged: JudgedSample,
}

/// A token whose intent is on record.
#[derive(Debug)]
pub struct Logged<T> {
    token: Judged<T>,
    record: Record,
}

/// A token whose release the monitor permits.
#[derive(Debug)]
pub struct Witnessed<T> {
    token: Logged<T>,
    permission: Permission,
}

/// A token with its signature, verified against the TSU's certificate.
#[derive(Debug)]
pub struct Signed<T> {
    token: Witnessed<T>,
    der: Vec<u8>,
    signature_digest: Hash,
}

/// A token that may leave the box.
#[derive(Debug, PartialEq, Eq)]
pub struct Releasable {
    der: Vec<u8>,
}

/// Where a token's intent stands: the leaf of the evidence log, which was durable before this could
/// be known.
pub type Record = LeafIndex;

/// By what right a token is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// By the lease it was judged under, and nothing more.
    Lease(LeaseSeq),
    /// By the monitor's confirmation of its batch, besides the lease.
    Witness(BatchSeq),
}

/// Leave to release tokens, given when the lease was found standing after signing. Only
/// [`ReleasePermit::under`] makes one.
#[derive(Debug)]
pub struct ReleasePermit {
    lease: LeaseSeq,
    recorded: Option<BatchSeq>,
}

/// A token met a permit that is not for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongPermit {
    /// It is for another lease.
    #[error("the token was judged under lease {token}, the permit is for lease {permit}")]
    Lease {
        /// The token's.
        token: LeaseSeq,
        /// The permit's.
        permit: LeaseSeq,
    },
    /// It does not say that the confirmation of the token's batch is on record.
    #[error("the confirmation of batch {0} is not known to be on record")]
    Unrecorded(BatchSeq),
}

impl ReleasePermit {
    /// A permit for the tokens of lease `lease`, unless that lease was `withdrawn`: revoked by the
    /// monitor or ended by the guard. A lease that merely ran out permits what was judged in time.
    #[must_use]
    pub fn under(lease: LeaseSeq, withdrawn: bool) -> Option<Self> {
        (!withdrawn).then_some(Self { lease, recorded: None })
    }

    /// The permit with the word that the confirmation of this batch is durable (P5).
    #[must_use]
    pub const fn recorded(self, batch: BatchSeq) -> Self {
        Self { lease: self.lease, recorded: Some(batch) }
    }
}

impl<T> Draft<T> {
    /// A token about `content`.
    #[must_use]
    pub const fn new(content: T) -> Self {
        Self { content }
    }

    /// Gives the token its time.
    #[must_use]
    pub fn judged(self, judged: JudgedSample) -> Judged<T> {
        Judged { content: self.content, judged }
    }

    /// Gives the token up.
    #[must_use]
    pub fn into_content(self) -> T {
        self.content
    }
}

impl<T> Judged<T> {
    /// What the token says.
    #[must_use]
    pub const fn content(&self) -> &T {
        &self.content
    }

    /// The sample the token is built from.
    #[must_use]
    pub const fn judged(&self) -> &JudgedSample {
        &self.judged
    }

    /// Gives the token up.
    #[must_use]
    pub fn into_content(self) -> T {
        self.content
    }

    /// Notes where the token's intent stands.
    #[must_use]
    pub const fn logged(self, record: Record) -> Logged<T> {
        Logged { token: self, record }
    }
}

impl<T> Logged<T> {
    /// Notes by what right the token will be released.
    #[must_use]
    pub const fn witnessed(self, permission: Permission) -> Witnessed<T> {
        Witnessed { token: self, permission }
    }

    /// What the token says.
    #[must_use]
    pub const fn content(&self) -> &T {
        self.token.content()
    }

    /// Gives the token up.
    #[must_use]
    pub fn into_content(self) -> T {
        self.token.content
    }

    /// Where the token's intent stands.
    #[must_use]
    pub const fn record(&self) -> Record {
        self.record
    }

    /// The sample the token is built from.
    #[must_use]
    pub const fn judged(&self) -> &JudgedSample {
        &self.token.judged
    }
}

impl<T> Witnessed<T> {
    /// What the token says.
    #[must_use]
    pub const fn content(&self) -> &T {
        self.token.token.content()
    }

    /// The sample the token is built from.
    #[must_use]
    pub const fn judged(&self) -> &JudgedSample {
        &self.token.token.judged
    }

    /// Builds the token with `sign`, then checks the result with `verify`, which returns SHA-256 over
    /// the octets of its signature. A token that does not verify is lost here.
    ///
    /// # Errors
    /// What `sign` or `verify` returns.
    pub fn sign<E>(
        self,
        sign: impl FnOnce(&T, &JudgedSample) -> Result<Vec<u8>, E>,
        verify: impl FnOnce(&[u8], &T, &JudgedSample) -> Result<Hash, E>,
    ) -> Result<Signed<T>, E> {
        let der = sign(self.content(), self.judged())?;
        let signature_digest = verify(&der, self.content(), self.judged())?;
        Ok(Signed { token: self, der, signature_digest })
    }

    /// By what right the token will be released.
    #[must_use]
    pub const fn permission(&self) -> Permission {
        self.permission
    }
}

impl<T> Signed<T> {
    /// What the token says.
    #[must_use]
    pub const fn content(&self) -> &T {
        self.token.content()
    }

    /// The sample the token was built from.
    #[must_use]
    pub const fn judged(&self) -> &JudgedSample {
        self.token.judged()
    }

    /// SHA-256 over the octets of its signature.
    #[must_use]
    pub const fn signature_digest(&self) -> &Hash {
        &self.signature_digest
    }

    /// Lets the token go.
    ///
    /// # Errors
    /// [`WrongPermit`] when the permit is for another lease than the token was judged under, or
    /// does not say that the confirmation which permits the token is on record.
    pub fn release(self, permit: &ReleasePermit) -> Result<Releasable, WrongPermit> {
        let token = self.token.judged().lease();
        if token != permit.lease {
            return Err(WrongPermit::Lease { token, permit: permit.lease });
        }
        match self.token.permission() {
            Permission::Witness(batch) if permit.recorded != Some(batch) => {
                Err(WrongPermit::Unrecorded(batch))
            }
            Permission::Lease(_) | Permission::Witness(_) => Ok(Releasable { der: self.der }),
        }
    }

    /// By what right the token will be released.
    #[must_use]
    pub const fn permission(&self) -> Permission {
        self.token.permission()
    }
}

impl Releasable {
    /// The TimeStampToken in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The TimeStampToken in DER.
    #[must_use]
    pub fn into_der(self) -> Vec<u8> {
        self.der
    }
}
