//! The names in a log's folder.

use std::path::{Path, PathBuf};

use chronolease_core::evidence::LeafIndex;

use super::format::segment_name;

/// Where things are.
#[derive(Debug, Clone)]
pub(super) struct Layout(PathBuf);

impl Layout {
    /// The name of a segment in the making, among the segments.
    pub(super) const UNFINISHED: &'static str = "new.tmp";

    pub(super) fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    pub(super) fn folder(&self) -> &Path {
        &self.0
    }

    pub(super) fn segments(&self) -> PathBuf {
        self.0.join("segment")
    }

    pub(super) fn segment(&self, first: LeafIndex) -> PathBuf {
        self.segments().join(segment_name(first))
    }

    pub(super) fn unfinished_segment(&self) -> PathBuf {
        self.segments().join(Self::UNFINISHED)
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    pub(super) fn poisoned(&self) -> PathBuf {
        self.0.join("poisoned")
    }

    pub(super) fn checkpoint(&self) -> PathBuf {
        self.0.join("checkpoint")
    }

    pub(super) fn history(&self) -> PathBuf {
        self.0.join("checkpoint.history")
    }

    pub(super) fn peers(&self) -> PathBuf {
        self.0.join("peer")
    }
}
