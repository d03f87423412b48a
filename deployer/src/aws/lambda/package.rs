//! The code of functions: zips, each known by the digest that Lambda gives it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// A zip with a function's code.
#[derive(Clone, PartialEq, Eq)]
pub struct Package {
    digest: String,
    zip: Arc<[u8]>,
}

impl Package {
    /// The package that these bytes are.
    #[must_use]
    pub fn new(zip: Vec<u8>) -> Self {
        Self { digest: STANDARD.encode(Sha256::digest(&zip)), zip: zip.into() }
    }

    /// SHA-256 of the zip, in base64: what Lambda calls `CodeSha256`.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The zip.
    #[must_use]
    pub fn zip(&self) -> &[u8] {
        &self.zip
    }
}

impl fmt::Debug for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Package").field("digest", &self.digest).field("bytes", &self.zip.len()).finish()
    }
}

/// The packages that are at hand, by the function's name without the stack's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packages(BTreeMap<String, Package>);

impl Packages {
    /// The package of this function.
    #[must_use]
    pub fn of(&self, function: &str) -> Option<&Package> {
        self.0.get(function)
    }

    /// The package of this digest.
    #[must_use]
    pub fn with_digest(&self, digest: &str) -> Option<&Package> {
        self.0.values().find(|package| package.digest == digest)
    }
}

impl FromIterator<(String, Package)> for Packages {
    fn from_iter<I: IntoIterator<Item = (String, Package)>>(packages: I) -> Self {
        Self(packages.into_iter().collect())
    }
}
