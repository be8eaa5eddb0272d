//! The layers of a configuration: the file, the files of the directory beside it, the environment.

use std::io;
use std::path::{Path, PathBuf};

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};
use toml_edit::{Array, ArrayOfTables, ImDocument, Item, TableLike};

use super::error::{ConfigError, Origin, Position};
use super::path::{KeyPath, Step};

/// One layer as figment takes it; its source says which file or variable it is.
pub(super) struct Layer {
    metadata: Metadata,
    data: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.data.clone()))
    }
}

/// A file that was read, with the place of everything in it.
#[derive(Debug)]
pub(super) struct SourceFile {
    path: PathBuf,
    toml: ImDocument<String>,
}

impl SourceFile {
    /// Reads and parses `path`.
    pub(super) fn read(path: &Path) -> Result<(Self, Layer), ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| file_error(path, None, format!("cannot be read: {error}")))?;
        let toml = ImDocument::parse(text.clone()).map_err(|error| {
            let at = error.span().map(|span| position(&text, span.start));
            let message = error.message().trim().replace('\n', "; ");
            file_error(path, at, format!("not valid TOML: {message}"))
        })?;
        let mut profiles = Toml::string(&text)
            .data()
            .map_err(|error| file_error(path, None, format!("not valid TOML: {error}")))?;
        let data = profiles.remove(&Profile::Default).unwrap_or_default();
        let layer = Layer { metadata: Metadata::from("TOML file", path), data };
        Ok((Self { path: path.to_owned(), toml }, layer))
    }

    /// The file as it was named.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// This file, at the place of `key` when it stands in it.
    pub(super) fn origin(&self, key: &KeyPath) -> Origin {
        let at = self.find(key).map(|(offset, _)| position(self.toml.raw(), offset));
        Origin::File { path: self.path.clone(), at }
    }

    /// Whether `key` is a table in this file.
    pub(super) fn has_table(&self, key: &KeyPath) -> bool {
        self.find(key).is_some_and(|(_, node)| matches!(node, Node::Table(_)))
    }

    /// The offset of a value's key, a table's header or an array's element.
    fn find(&self, key: &KeyPath) -> Option<(usize, Node<'_>)> {
        let mut node = Node::Table(self.toml.as_table());
        let mut span = None;
        for step in key.steps() {
            (node, span) = match (node, step) {
                (Node::Table(table), Step::Key(key)) => {
                    let (key, item) = table.get_key_value(key)?;
                    let header = if item.is_value() { None } else { item.span() };
                    (Node::of(item), header.or(key.span()).or(item.span()))
                }
                (Node::Tables(tables), Step::Index(index)) => {
                    let table = tables.get(*index)?;
                    (Node::Table(table), table.span())
                }
                (Node::Array(array), Step::Index(index)) => {
                    let value = array.get(*index)?;
                    (Node::of_value(value), value.span())
                }
                _ => return None,
            };
        }
        Some((span?.start, node))
    }
}

/// What can be stepped into.
enum Node<'a> {
    Table(&'a dyn TableLike),
    Tables(&'a ArrayOfTables),
    Array(&'a Array),
    Leaf,
}

impl<'a> Node<'a> {
    fn of(item: &'a Item) -> Self {
        match item {
            Item::Table(table) => Self::Table(table),
            Item::ArrayOfTables(tables) => Self::Tables(tables),
            Item::Value(value) => Self::of_value(value),
            Item::None => Self::Leaf,
        }
    }

    fn of_value(value: &'a toml_edit::Value) -> Self {
        match value {
            toml_edit::Value::InlineTable(table) => Self::Table(table),
            toml_edit::Value::Array(array) => Self::Array(array),
            _ => Self::Leaf,
        }
    }
}

/// The files of the directory beside `path` (`tsu.d` for `tsu.toml`) that end in `.toml`, sorted
/// by name. Hidden files are left out, as a shell's `*.toml` does. No directory: no files.
pub(super) fn overlays(path: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let directory = path.with_extension("d");
    let list = || -> io::Result<Vec<PathBuf>> {
        std::fs::read_dir(&directory)?.map(|entry| Ok(entry?.path())).collect()
    };
    let mut files = match list() {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(file_error(&directory, None, format!("cannot be listed: {error}")));
        }
    };
    let hidden = |file: &PathBuf| {
        file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
    };
    files.retain(|file| file.extension().is_some_and(|ext| ext == "toml") && !hidden(file));
    files.sort();
    Ok(files)
}

/// An environment variable that sets a key.
#[derive(Debug)]
pub(super) struct Variable {
    /// The full name.
    pub(super) name: String,
    /// The key that it sets.
    pub(super) key: KeyPath,
    /// The value as it was given, for where a string is wanted: `1.20` is not the number 1.2.
    pub(super) text: String,
}

impl Variable {
    /// Reads a variable whose name without the prefix is `rest`; `None` for a value that is not
    /// Unicode.
    pub(super) fn parse(
        name: &str,
        rest: &str,
        text: Option<String>,
    ) -> Result<(Self, Layer), ConfigError> {
        let refuse = |message: &str| ConfigError {
            origin: Origin::Env { variable: name.to_owned() },
            key: String::new(),
            message: message.to_owned(),
        };
        if name.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return Err(refuse("variables of the configuration are written in upper case"));
        }
        let keys: Vec<String> = rest.split("__").map(str::to_ascii_lowercase).collect();
        if keys.iter().any(String::is_empty) {
            return Err(refuse("names no key; expected SECTION__KEY after the prefix"));
        }
        let text = text.ok_or_else(|| refuse("the value is not valid UTF-8"))?;
        let value: Value = match text.parse() {
            Ok(value) => value,
            Err(never) => match never {},
        };
        let nested = keys
            .iter()
            .rev()
            .fold(value, |value, key| Value::from(Map::from([(key.as_str(), value)])));
        let key = keys.iter().fold(KeyPath::default(), |path, key| path.key(key));
        let data = nested.into_dict().expect("a value under at least one key is a table");
        let layer = Layer { metadata: Metadata::from("environment", name), data };
        Ok((Self { name: name.to_owned(), key, text: text.trim().to_owned() }, layer))
    }

    /// Where its value came from.
    pub(super) fn origin(&self) -> Origin {
        Origin::Env { variable: self.name.clone() }
    }
}

/// A mistake that concerns a file rather than a key.
fn file_error(path: &Path, at: Option<Position>, message: String) -> ConfigError {
    ConfigError { origin: Origin::File { path: path.to_owned(), at }, key: String::new(), message }
}

/// The line and column of a byte offset.
fn position(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position {
        line: 1 + before.matches('\n').count(),
        column: 1 + before[line_start..].chars().count(),
    }
}
