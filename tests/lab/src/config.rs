//! `lab.toml`: where the sources and their control listener are.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use chronolease_net::config::{ConfigErrors, Document, Section};

use crate::layout::Ports;

/// The prefix of the variables that override `lab.toml`.
const ENV_PREFIX: &str = "CHRONOLEASE_LAB_";

/// What `lab.toml` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabConfig {
    /// Where the knobs are turned.
    pub control: SocketAddr,
    /// The servers; their names differ.
    pub sources: Vec<SourceConfig>,
}

/// One NTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceConfig {
    /// How the control listener names it.
    pub name: String,
    /// Where it answers; port 0 asks the system for a free one.
    pub listen: SocketAddr,
}

impl LabConfig {
    /// The sources of a lab on `ports`.
    #[must_use]
    pub fn of(ports: Ports) -> Self {
        let sources = ports
            .sources()
            .map(|(source, listen)| SourceConfig { name: source.name.to_owned(), listen });
        Self { control: ports.control(), sources: sources.collect() }
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        let document = Document::load(path, ENV_PREFIX)?;
        let control = document.root().section("control").socket_addr("listen");
        let mut names = BTreeSet::new();
        let tables = document.root().sections("source");
        let sources: Vec<_> = tables.iter().map(|table| source(table, &mut names)).collect();
        if sources.is_empty() {
            document.root().error("source", "a lab needs at least one");
        }
        let sources: Option<Vec<_>> = sources.into_iter().collect();
        document.finish(control.zip(sources).map(|(control, sources)| Self { control, sources }))
    }
}

fn source(table: &Section<'_>, names: &mut BTreeSet<String>) -> Option<SourceConfig> {
    let (name, listen) = (table.string("name"), table.socket_addr("listen"));
    let name = name?;
    if !names.insert(name.clone()) {
        table.error("name", format!("another source is named {name:?} too"));
    }
    listen.map(|listen| SourceConfig { name, listen })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Scratch;

    fn load(text: &str) -> Result<LabConfig, ConfigErrors> {
        let scratch = Scratch::new();
        let file = scratch.path().join("lab.toml");
        std::fs::write(&file, text).expect("the directory is ours");
        LabConfig::load(&file)
    }

    #[test]
    fn a_lab_is_read() {
        let text = "[control]\nlisten = \"127.0.0.1:0\"\n\
                    [[source]]\nname = \"ptb\"\nlisten = \"127.0.0.1:3170\"\n";
        let config = load(text).expect("nothing is wrong");
        assert_eq!(config.control.port(), 0);
        assert_eq!(config.sources.len(), 1);
        assert_eq!(config.sources[0].name, "ptb");
        assert_eq!(config.sources[0].listen.port(), 3170);
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let text = "[control]\nlisten = \"here\"\ncolour = 1\n\
                    [[source]]\nname = \"ptb\"\nlisten = \"127.0.0.1:3170\"\n\
                    [[source]]\nname = \"ptb\"\n";
        let errors = load(text).expect_err("four mistakes").to_string();
        for (line, key) in
            [(2, "control.listen"), (3, "control.colour"), (8, "source[1].name"), (7, "listen")]
        {
            assert!(
                errors.lines().any(|e| e.contains(&format!("lab.toml:{line}:")) && e.contains(key)),
                "{line} {key} in:\n{errors}"
            );
        }
        assert!(load("[control]\nlisten = \"127.0.0.1:0\"\n").is_err(), "no source");
    }
}
