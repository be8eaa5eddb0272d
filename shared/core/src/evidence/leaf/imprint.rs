//! What a token is about, by its hash function.

/// The hash functions that a requester may use (TS 119 312: those that are recommended).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HashFunction {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// SHA3-256.
    Sha3_256,
    /// SHA3-384.
    Sha3_384,
    /// SHA3-512.
    Sha3_512,
}

/// NIST's hashAlgs (2.16.840.1.101.3.4.2), below which every function here has its arc.
const HASH_ALGS: [u32; 8] = [2, 16, 840, 1, 101, 3, 4, 2];

impl HashFunction {
    /// Every function there is.
    pub const ALL: [Self; 6] =
        [Self::Sha256, Self::Sha384, Self::Sha512, Self::Sha3_256, Self::Sha3_384, Self::Sha3_512];

    /// The function with this object identifier, given in its arcs.
    #[must_use]
    pub fn from_oid(arcs: &[u32]) -> Option<Self> {
        let (last, parents) = arcs.split_last()?;
        let known = || Self::ALL.into_iter().find(|function| function.arc() == *last);
        if parents == HASH_ALGS { known() } else { None }
    }

    /// The length of its hashes, in octets.
    #[must_use]
    pub const fn octets(self) -> usize {
        match self {
            Self::Sha256 | Self::Sha3_256 => 32,
            Self::Sha384 | Self::Sha3_384 => 48,
            Self::Sha512 | Self::Sha3_512 => 64,
        }
    }

    /// Its name in lower case, as in `sha3-256`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
            Self::Sha3_256 => "sha3-256",
            Self::Sha3_384 => "sha3-384",
            Self::Sha3_512 => "sha3-512",
        }
    }

    const fn arc(self) -> u32 {
        match self {
            Self::Sha256 => 1,
            Self::Sha384 => 2,
            Self::Sha512 => 3,
            Self::Sha3_256 => 8,
            Self::Sha3_384 => 9,
            Self::Sha3_512 => 10,
        }
    }
}

/// What a token is about: the hash of the requester's data (RFC 3161 2.4.1 messageImprint), by its
/// hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imprint {
    /// SHA-256.
    Sha256([u8; 32]),
    /// SHA-384.
    Sha384([u8; 48]),
    /// SHA-512.
    Sha512([u8; 64]),
    /// SHA3-256.
    Sha3_256([u8; 32]),
    /// SHA3-384.
    Sha3_384([u8; 48]),
    /// SHA3-512.
    Sha3_512([u8; 64]),
}

impl Imprint {
    /// The imprint with this hash of this function; `None` when its length is not the function's.
    #[must_use]
    pub fn new(function: HashFunction, hash: &[u8]) -> Option<Self> {
        match function {
            HashFunction::Sha256 => hash.try_into().ok().map(Self::Sha256),
            HashFunction::Sha384 => hash.try_into().ok().map(Self::Sha384),
            HashFunction::Sha512 => hash.try_into().ok().map(Self::Sha512),
            HashFunction::Sha3_256 => hash.try_into().ok().map(Self::Sha3_256),
            HashFunction::Sha3_384 => hash.try_into().ok().map(Self::Sha3_384),
            HashFunction::Sha3_512 => hash.try_into().ok().map(Self::Sha3_512),
        }
    }

    /// The hash function.
    #[must_use]
    pub const fn function(&self) -> HashFunction {
        match self {
            Self::Sha256(_) => HashFunction::Sha256,
            Self::Sha384(_) => HashFunction::Sha384,
            Self::Sha512(_) => HashFunction::Sha512,
            Self::Sha3_256(_) => HashFunction::Sha3_256,
            Self::Sha3_384(_) => HashFunction::Sha3_384,
            Self::Sha3_512(_) => HashFunction::Sha3_512,
        }
    }

    /// The hash.
    #[must_use]
    pub const fn hash(&self) -> &[u8] {
        match self {
            Self::Sha256(hash) | Self::Sha3_256(hash) => hash,
            Self::Sha384(hash) | Self::Sha3_384(hash) => hash,
            Self::Sha512(hash) | Self::Sha3_512(hash) => hash,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_known_by_its_identifier_alone() {
        for (function, last) in HashFunction::ALL.into_iter().zip([1, 2, 3, 8, 9, 10]) {
            assert_eq!(
                HashFunction::from_oid(&[2, 16, 840, 1, 101, 3, 4, 2, last]),
                Some(function)
            );
        }
        // SHA-224, SHA-512/256, SHA3-224, SHAKE128, SHA-1, MD5, one of ours too short and too long.
        let others: [&[u32]; 9] = [
            &[2, 16, 840, 1, 101, 3, 4, 2, 4],
            &[2, 16, 840, 1, 101, 3, 4, 2, 6],
            &[2, 16, 840, 1, 101, 3, 4, 2, 7],
            &[2, 16, 840, 1, 101, 3, 4, 2, 11],
            &[1, 3, 14, 3, 2, 26],
            &[1, 2, 840, 113_549, 2, 5],
            &[2, 16, 840, 1, 101, 3, 4, 2],
            &[2, 16, 840, 1, 101, 3, 4, 2, 1, 1],
            &[],
        ];
        for arcs in others {
            assert_eq!(HashFunction::from_oid(arcs), None, "{arcs:?}");
        }
    }

    #[test]
    fn an_imprint_has_the_length_of_its_function() {
        for function in HashFunction::ALL {
            let hash = vec![7; function.octets()];
            let imprint = Imprint::new(function, &hash).expect("it fits");
            assert_eq!((imprint.function(), imprint.hash()), (function, &hash[..]));
            assert_eq!(Imprint::new(function, &hash[1..]), None);
        }
    }
}
