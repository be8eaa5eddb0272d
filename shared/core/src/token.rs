//! The stages a token passes. Each stage is a type of its own and only the last leaves the box:
//!
//! `Draft -> Judged -> Logged -> Witnessed -> Signed -> Releasable`
//!
//! `T` is what the token will say (the request and its serial number); this module does not look
//! into it. There is no way to skip a stage, and none to copy a token out of one.

use crate::evidence::LeafIndex;
use crate::id::LeaseSeq;
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
}

/// A token that may leave the box.
#[derive(Debug, PartialEq, Eq)]
pub struct Releasable {
    der: Vec<u8>,
}

/// Where a token's intent stands: the leaf of the evidence log, which was durable before this could
/// be known.
pub type Record = LeafIndex;

/// By what right a token is released. The witness will add its own way here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// By the lease it was judged under, and nothing more.
    Lease(LeaseSeq),
}

/// Leave to release tokens, given when the lease was found standing after signing. Only
/// [`ReleasePermit::under`] makes one.
#[derive(Debug)]
pub struct ReleasePermit {
    lease: LeaseSeq,
}

/// A token met a permit for another lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token was judged under lease {token}, the permit is for lease {permit}")]
pub struct WrongPermit {
    token: LeaseSeq,
    permit: LeaseSeq,
}

impl ReleasePermit {
    /// A permit for the tokens of lease `lease`, unless that lease was `withdrawn`: revoked by the
    /// monitor or ended by the guard. A lease that merely ran out permits what was judged in time.
    #[must_use]
    pub fn under(lease: LeaseSeq, withdrawn: bool) -> Option<Self> {
        (!withdrawn).then_some(Self { lease })
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

    /// Builds the token with `sign`, then checks the result with `verify`. A token that does not
    /// verify is lost here.
    ///
    /// # Errors
    /// What `sign` or `verify` returns.
    pub fn sign<E>(
        self,
        sign: impl FnOnce(&T, &JudgedSample) -> Result<Vec<u8>, E>,
        verify: impl FnOnce(&[u8], &T, &JudgedSample) -> Result<(), E>,
    ) -> Result<Signed<T>, E> {
        let der = sign(self.content(), self.judged())?;
        verify(&der, self.content(), self.judged())?;
        Ok(Signed { token: self, der })
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

    /// Lets the token go.
    ///
    /// # Errors
    /// [`WrongPermit`] when the permit is for another lease than the token was judged under.
    pub fn release(self, permit: &ReleasePermit) -> Result<Releasable, WrongPermit> {
        let token = self.token.judged().lease();
        if token != permit.lease {
            return Err(WrongPermit { token, permit: permit.lease });
        }
        Ok(Releasable { der: self.der })
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
